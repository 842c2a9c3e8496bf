// ONNX Runtime's C interface: its own header where the compiler finds it, else the part of it that is needed.
//
// OrtApi is a table of functions to which each version of ONNX Runtime appends and from which none removes, so that a
// function stays at its place. Those places are written down here and checked against the official header by
// tests/export/test_cpp_runtime.py. All files of a program should be compiled with the same choice.
#pragma once

#include <cstddef>
#include <cstdint>

#if !defined(FACSIM_OWN_ORT_ABI) && __has_include(<onnxruntime_c_api.h>)
#define FACSIM_OFFICIAL_ORT_ABI 1
#include <onnxruntime_c_api.h>
#endif

namespace facsim::own {

struct OrtAllocator;
struct OrtEnv;
struct OrtMemoryInfo;
struct OrtRunOptions;
struct OrtSession;
struct OrtSessionOptions;
struct OrtStatus;
struct OrtTensorTypeAndShapeInfo;
struct OrtTypeInfo;
struct OrtValue;

enum OrtAllocatorType { OrtArenaAllocator = 1 };
enum OrtErrorCode { ORT_OK = 0 };
enum OrtLoggingLevel { ORT_LOGGING_LEVEL_FATAL = 4 };
enum OrtMemType { OrtMemTypeDefault = 0 };
enum ONNXTensorElementDataType {
    ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT = 1,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL = 9,
};

struct OrtApi {
    using Unused = void (*)();
    template <class Thing>
    using Release = void (*)(Thing*);
    using Status = OrtStatus*;

    Unused from_0[2];
    const char* (*GetErrorMessage)(const OrtStatus*);
    Status (*CreateEnv)(OrtLoggingLevel, const char*, OrtEnv**);
    Unused from_4[4];
    Status (*CreateSessionFromArray)(const OrtEnv*, const void*, std::size_t, const OrtSessionOptions*, OrtSession**);
    Status (*Run)(OrtSession*, const OrtRunOptions*, const char* const*, const OrtValue* const*, std::size_t,
                  const char* const*, std::size_t, OrtValue**);
    Status (*CreateSessionOptions)(OrtSessionOptions**);
    Unused from_11[8];
    Status (*DisableCpuMemArena)(OrtSessionOptions*);
    Unused from_20[2];
    Status (*SetSessionLogSeverityLevel)(OrtSessionOptions*, int);
    Unused from_23[1];
    Status (*SetIntraOpNumThreads)(OrtSessionOptions*, int);
    Status (*SetInterOpNumThreads)(OrtSessionOptions*, int);
    Unused from_26[4];
    Status (*SessionGetInputCount)(const OrtSession*, std::size_t*);
    Status (*SessionGetOutputCount)(const OrtSession*, std::size_t*);
    Unused from_32[1];
    Status (*SessionGetInputTypeInfo)(const OrtSession*, std::size_t, OrtTypeInfo**);
    Status (*SessionGetOutputTypeInfo)(const OrtSession*, std::size_t, OrtTypeInfo**);
    Unused from_35[1];
    Status (*SessionGetInputName)(const OrtSession*, std::size_t, OrtAllocator*, char**);
    Status (*SessionGetOutputName)(const OrtSession*, std::size_t, OrtAllocator*, char**);
    Unused from_38[11];
    Status (*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo*, void*, std::size_t, const std::int64_t*, std::size_t,
                                             ONNXTensorElementDataType, OrtValue**);
    Unused from_50[5];
    Status (*CastTypeInfoToTensorInfo)(const OrtTypeInfo*, const OrtTensorTypeAndShapeInfo**);
    Unused from_56[4];
    Status (*GetTensorElementType)(const OrtTensorTypeAndShapeInfo*, ONNXTensorElementDataType*);
    Status (*GetDimensionsCount)(const OrtTensorTypeAndShapeInfo*, std::size_t*);
    Status (*GetDimensions)(const OrtTensorTypeAndShapeInfo*, std::int64_t*, std::size_t);
    Unused from_63[6];
    Status (*CreateCpuMemoryInfo)(OrtAllocatorType, OrtMemType, OrtMemoryInfo**);
    Unused from_70[6];
    Status (*AllocatorFree)(OrtAllocator*, void*);
    Unused from_77[1];
    Status (*GetAllocatorWithDefaultOptions)(OrtAllocator**);
    Unused from_79[13];
    Release<OrtEnv> ReleaseEnv;
    Release<OrtStatus> ReleaseStatus;
    Release<OrtMemoryInfo> ReleaseMemoryInfo;
    Release<OrtSession> ReleaseSession;
    Release<OrtValue> ReleaseValue;
    Unused from_97[1];
    Release<OrtTypeInfo> ReleaseTypeInfo;
    Unused from_99[1];
    Release<OrtSessionOptions> ReleaseSessionOptions;
};

struct OrtApiBase {
    const OrtApi* (*GetApi)(std::uint32_t version);
    const char* (*GetVersionString)();
};

}  // namespace facsim::own

namespace facsim::ort {

#ifdef FACSIM_OFFICIAL_ORT_ABI
using ::ONNXTensorElementDataType, ::OrtAllocator, ::OrtApi, ::OrtApiBase, ::OrtEnv, ::OrtMemoryInfo, ::OrtSession,
    ::OrtSessionOptions, ::OrtStatus, ::OrtTensorTypeAndShapeInfo, ::OrtTypeInfo, ::OrtValue;
using ::ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, ::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ::ORT_LOGGING_LEVEL_FATAL,
    ::OrtArenaAllocator, ::OrtMemTypeDefault;
#else
using namespace facsim::own;
#endif

/// Version of the table that is asked for: all functions above are in it, and ONNX Runtime from 1.11 on has it.
inline constexpr std::uint32_t api_version = 11;

}  // namespace facsim::ort
