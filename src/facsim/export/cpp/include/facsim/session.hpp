// A graph in ONNX Runtime, and calls of it on memory of one's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime.hpp"

namespace facsim::detail {

/// An input or output: its name, type and dimensions, -1 where any size will do.
struct Port {
    std::string name;
    ort::ONNXTensorElementDataType type{};
    std::vector<std::int64_t> dims;
};

/// A graph that is ready to be called, from any number of threads.
class Session {
public:
    Session(Runtime runtime, const unsigned char* data, std::size_t size, int threads) : runtime_(std::move(runtime)) {
        const ort::OrtApi& api = runtime_.api();
        const auto check = [this](ort::OrtStatus* status) { runtime_.check(status, "ONNX Runtime refuses the graph"); };
        ort::OrtSessionOptions* raw = nullptr;
        check(api.CreateSessionOptions(&raw));
        const std::unique_ptr<ort::OrtSessionOptions, decltype(api.ReleaseSessionOptions)> options(
            raw, api.ReleaseSessionOptions);
        check(api.SetIntraOpNumThreads(raw, threads));
        check(api.SetInterOpNumThreads(raw, 1));
        check(api.DisableCpuMemArena(raw));  // whose lock threads would wait for, and whose memory grows
        check(api.SetSessionLogSeverityLevel(raw, ort::ORT_LOGGING_LEVEL_FATAL));  // errors are exceptions
        ort::OrtSession* session = nullptr;
        check(api.CreateSessionFromArray(runtime_.env(), data, size, raw, &session));
        session_ = {session, api.ReleaseSession};
        inputs = ports(api.SessionGetInputCount, api.SessionGetInputName, api.SessionGetInputTypeInfo);
        outputs = ports(api.SessionGetOutputCount, api.SessionGetOutputName, api.SessionGetOutputTypeInfo);
    }

    const Runtime& runtime() const { return runtime_; }
    ort::OrtSession* get() const { return session_.get(); }

    std::vector<Port> inputs, outputs;

private:
    template <class Count, class Name, class Type>
    std::vector<Port> ports(Count count, Name name_of, Type type_of) const {
        const ort::OrtApi& api = runtime_.api();
        const auto check = [this](ort::OrtStatus* status) { runtime_.check(status, "reading the graph failed"); };
        ort::OrtAllocator* allocator = nullptr;
        check(api.GetAllocatorWithDefaultOptions(&allocator));
        std::size_t n = 0;
        check(count(session_.get(), &n));
        std::vector<Port> found(n);
        for (std::size_t i = 0; i < n; ++i) {
            char* name = nullptr;
            check(name_of(session_.get(), i, allocator, &name));
            found[i].name = name;
            check(api.AllocatorFree(allocator, name));
            ort::OrtTypeInfo* type = nullptr;
            check(type_of(session_.get(), i, &type));
            const std::unique_ptr<ort::OrtTypeInfo, decltype(api.ReleaseTypeInfo)> kept(type, api.ReleaseTypeInfo);
            const ort::OrtTensorTypeAndShapeInfo* tensor = nullptr;
            check(api.CastTypeInfoToTensorInfo(type, &tensor));
            if (tensor == nullptr) throw Error("the graph's '" + found[i].name + "' is no array.");
            std::size_t rank = 0;
            check(api.GetTensorElementType(tensor, &found[i].type));
            check(api.GetDimensionsCount(tensor, &rank));
            found[i].dims.resize(rank);
            check(api.GetDimensions(tensor, found[i].dims.data(), rank));
        }
        return found;
    }

    Runtime runtime_;
    std::shared_ptr<ort::OrtSession> session_;
};

/// One array of a call: its shape, and where it lies in the call at hand.
struct Slot {
    std::string name;
    std::vector<std::int64_t> dims;  // the first is the batch
    std::size_t event_bytes = 0;
    ort::ONNXTensorElementDataType type{};
    const void* data = nullptr;
    std::size_t batch = 0;
    std::shared_ptr<ort::OrtValue> value;
};

/// Calls of a session by one thread. The arrays are the caller's; nothing is copied.
class Call {
public:
    /// Add an array whose events have the shape `dims`. Inputs come first, the one output last.
    void add(const std::string& name, const std::vector<std::int64_t>& dims, ort::ONNXTensorElementDataType type) {
        Slot slot;
        slot.name = name;
        slot.dims = dims;
        slot.dims.insert(slot.dims.begin(), 0);
        slot.event_bytes = type == ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL ? 1 : sizeof(float);
        for (const std::int64_t size : dims) slot.event_bytes *= static_cast<std::size_t>(size);
        slot.type = type;
        slots_.push_back(std::move(slot));
    }

    /// Call the graph for `batch` events; `data` has a pointer for each array, in the order in which they were added.
    void run(const Session& session, std::size_t batch, const std::vector<const void*>& data) {
        names_.clear();
        values_.clear();
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            Slot& slot = slots_[i];
            if (slot.data != data[i] || slot.batch != batch || !slot.value)
                place(session.runtime(), slot, batch, data[i]);
            names_.push_back(slot.name.c_str());
            values_.push_back(slot.value.get());
        }
        const std::size_t inputs = slots_.size() - 1;
        const Runtime& runtime = session.runtime();
        runtime.check(runtime.api().Run(session.get(), nullptr, names_.data(), values_.data(), inputs, &names_[inputs],
                                        1, &values_[inputs]),
                      "ONNX Runtime could not run the graph");
    }

private:
    static void place(const Runtime& runtime, Slot& slot, std::size_t batch, const void* data) {
        static float none = 0;  // the runtime wants an address even of an array without numbers
        slot.value.reset();
        slot.dims[0] = static_cast<std::int64_t>(batch);
        ort::OrtValue* value = nullptr;
        void* at = data == nullptr ? &none : const_cast<void*>(data);
        const std::size_t bytes = batch * slot.event_bytes;
        if (data == nullptr && bytes > 0) throw Error("the array '" + slot.name + "' of a call is missing.");
        runtime.check(runtime.api().CreateTensorWithDataAsOrtValue(runtime.memory(), at, bytes, slot.dims.data(),
                                                                   slot.dims.size(), slot.type, &value),
                      "ONNX Runtime does not take an array");
        slot.value = {value, runtime.api().ReleaseValue};
        slot.data = data;
        slot.batch = batch;
    }

    std::vector<Slot> slots_;
    std::vector<const char*> names_;
    std::vector<ort::OrtValue*> values_;
};

}  // namespace facsim::detail
