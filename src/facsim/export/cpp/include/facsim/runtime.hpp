// ONNX Runtime's library: found, opened, and its errors as exceptions.
#pragma once

#include <dlfcn.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "error.hpp"
#include "ort_abi.hpp"

namespace facsim {

namespace detail {

/// First line of `text`, at most 300 characters.
inline std::string one_line(std::string text) {
    text = text.substr(0, text.find('\n')).substr(0, 300);
    while (!text.empty() && (text.back() == '.' || text.back() == ' ')) text.pop_back();
    return text;
}

}  // namespace detail

/// ONNX Runtime in this process (Linux, macOS). Copies share it; it stays until the process ends.
class Runtime {
public:
    /// Open the library `path`. Without a path: what FACSIM_ONNXRUNTIME names; else what the program is linked with;
    /// else what CMake was given; else libonnxruntime where the system looks for libraries.
    ///
    /// Throws Error where there is none, or one that is too old.
    explicit Runtime(const std::string& path = "") : Runtime(find(path)) {}

    /// Use the ONNX Runtime of a framework: `Runtime(OrtGetApiBase())`.
    explicit Runtime(const ort::OrtApiBase* base) {
        if (base == nullptr) throw Error("ONNX Runtime gave no functions: OrtGetApiBase() returned nothing.");
        version_ = base->GetVersionString();
        api_ = base->GetApi(ort::api_version);
        if (api_ == nullptr) throw Error("ONNX Runtime " + version_ + " is too old: expected 1.11 or newer.");
        ort::OrtEnv* env = nullptr;
        check(api_->CreateEnv(ort::ORT_LOGGING_LEVEL_FATAL, "facsim", &env), "starting ONNX Runtime failed");
        env_ = {env, api_->ReleaseEnv};
        ort::OrtMemoryInfo* memory = nullptr;
        check(api_->CreateCpuMemoryInfo(ort::OrtArenaAllocator, ort::OrtMemTypeDefault, &memory),
              "starting ONNX Runtime failed");
        memory_ = {memory, api_->ReleaseMemoryInfo};
    }

    const ort::OrtApi& api() const { return *api_; }
    const ort::OrtEnv* env() const {
        if (env_ == nullptr) throw Error("this has no ONNX Runtime any more, it was moved: use what it was moved to.");
        return env_.get();
    }
    const ort::OrtMemoryInfo* memory() const { return memory_.get(); }
    /// Of ONNX Runtime, such as "1.22.0".
    const std::string& version() const { return version_; }

    /// Throw Error where a function of the interface failed, beginning with `what`.
    void check(ort::OrtStatus* status, const char* what) const {
        if (status == nullptr) return;
        const std::string why = detail::one_line(api_->GetErrorMessage(status));
        api_->ReleaseStatus(status);
        throw Error(std::string(what) + " (" + why + ").");
    }

private:
    using Base = const ort::OrtApiBase* (*)();

    static const ort::OrtApiBase* find(const std::string& path) {
        if (!path.empty()) return open(path.c_str(), true);
        const char* named = std::getenv("FACSIM_ONNXRUNTIME");
        if (named != nullptr && *named != '\0') return open(named, true);
        if (void* linked = dlsym(RTLD_DEFAULT, "OrtGetApiBase")) return reinterpret_cast<Base>(linked)();
#ifdef FACSIM_ONNXRUNTIME_DEFAULT
        return open(FACSIM_ONNXRUNTIME_DEFAULT, true);
#else
        for (const char* name : {"libonnxruntime.so.1", "libonnxruntime.so", "libonnxruntime.dylib"})
            if (const ort::OrtApiBase* base = open(name, false)) return base;
        throw Error(
            "ONNX Runtime is not found: name its library in the variable FACSIM_ONNXRUNTIME, for example the "
            "libonnxruntime.so.1.* in the folder onnxruntime/capi of the Python package ('facsim cpp' tells where).");
#endif
    }

    static const ort::OrtApiBase* open(const char* path, bool needed) {
        void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) {
            if (!needed) return nullptr;
            const char* why = dlerror();
            throw Error("ONNX Runtime's library '" + std::string(path) + "' cannot be opened (" +
                        detail::one_line(why == nullptr ? "no reason given" : why) + ").");
        }
        void* function = dlsym(library, "OrtGetApiBase");
        if (function == nullptr)
            throw Error("'" + std::string(path) + "' is not ONNX Runtime: it has no function OrtGetApiBase.");
        return reinterpret_cast<Base>(function)();
    }

    const ort::OrtApi* api_ = nullptr;
    std::shared_ptr<ort::OrtEnv> env_;
    std::shared_ptr<ort::OrtMemoryInfo> memory_;
    std::string version_;
};

}  // namespace facsim
