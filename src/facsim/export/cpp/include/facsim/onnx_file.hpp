// What an ONNX file says of itself, read from its protobuf bytes before the runtime sees them.
//
// Field numbers are those of onnx.proto; no other message of it holds tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "error.hpp"

namespace facsim::detail {

struct Field;

/// A protobuf message: a stretch of bytes that is gone through field by field.
class Message {
public:
    Message() = default;
    Message(const unsigned char* begin, std::size_t size) : at_(begin), end_(begin + size) {}

    std::size_t size() const { return static_cast<std::size_t>(end_ - at_); }
    std::string text() const { return {reinterpret_cast<const char*>(at_), size()}; }
    bool next(Field& field);

    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (at_ == end_) fail();
            const std::uint64_t byte = *at_++;
            value |= (byte & 0x7F) << shift;
            if (byte < 0x80) return value;
        }
        fail();
    }

private:
    [[noreturn]] static void fail() { throw Error("it is cut short or damaged"); }
    Message skip(std::uint64_t size) {
        if (size > this->size()) fail();
        const Message found(at_, static_cast<std::size_t>(size));
        at_ += size;
        return found;
    }

    const unsigned char* at_ = nullptr;
    const unsigned char* end_ = nullptr;
};

/// One field: its number, and either a whole number or bytes.
struct Field {
    std::uint32_t number = 0;
    bool is_bytes = false;
    std::uint64_t value = 0;
    Message bytes;
};

inline bool Message::next(Field& field) {
    if (at_ == end_) return false;
    const std::uint64_t tag = varint();
    if (tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) fail();
    field.number = static_cast<std::uint32_t>(tag >> 3);
    field.is_bytes = (tag & 7) == 2;
    switch (tag & 7) {
        case 0: field.value = varint(); break;
        case 1: skip(8); break;
        case 2: field.bytes = skip(varint()); break;
        case 5: skip(4); break;
        default: fail();  // groups, which ONNX has none of
    }
    return true;
}

/// The versions that a graph asks for.
struct OnnxFacts {
    std::int64_t ir_version = 0;
    std::map<std::string, std::int64_t> opsets;

    std::string versions() const {
        std::string text = "IR version " + std::to_string(ir_version);
        for (const auto& [domain, version] : opsets)
            text += ", opset " + (domain.empty() ? "" : domain + " ") + std::to_string(version);
        return text;
    }
};

inline constexpr int deepest_graph = 16;

inline void check_tensor(Message tensor) {
    const std::size_t bytes = tensor.size();
    std::uint64_t numbers = 1;
    const auto dimension = [&](std::uint64_t size) {
        // eight numbers of a byte is more than any type packs, so that this refuses only what cannot be there
        if (size > 0 && numbers > 8 * std::uint64_t{bytes} / size)
            throw Error("it declares an array that is larger than the file holds");
        numbers *= size;
    };
    std::string name = "without a name";
    bool outside = false;
    for (Field field; tensor.next(field);) {
        if (field.number == 1 && !field.is_bytes) dimension(field.value);
        if (field.number == 1 && field.is_bytes)
            while (field.bytes.size() > 0) dimension(field.bytes.varint());
        if (field.number == 8 && field.is_bytes) name = "'" + field.bytes.text().substr(0, 80) + "'";
        if (field.number == 13 || (field.number == 14 && field.value != 0)) outside = true;
    }
    if (outside) throw Error("its array " + name + " lies in another file, which is not followed: export one file");
}

inline void check_graph(Message graph, int depth);

inline void check_attribute(Message attribute, int depth) {
    for (Field field; attribute.next(field);) {
        if (!field.is_bytes) continue;
        if (field.number == 5 || field.number == 10) check_tensor(field.bytes);
        if (field.number == 6 || field.number == 11) check_graph(field.bytes, depth + 1);
        if (field.number == 22 || field.number == 23) throw Error("it has sparse arrays, which facsim never writes");
    }
}

inline void check_node(Message node, int depth) {
    for (Field field; node.next(field);)
        if (field.number == 5 && field.is_bytes) check_attribute(field.bytes, depth);
}

inline void check_graph(Message graph, int depth) {
    if (depth > deepest_graph) throw Error("its graphs are nested too deeply");
    for (Field field; graph.next(field);) {
        if (!field.is_bytes) continue;
        if (field.number == 1) check_node(field.bytes, depth);
        if (field.number == 5) check_tensor(field.bytes);
        if (field.number == 15) throw Error("it has sparse arrays, which facsim never writes");
    }
}

inline void check_function(Message function) {
    for (Field field; function.next(field);) {
        if (!field.is_bytes) continue;
        if (field.number == 7) check_node(field.bytes, 0);
        if (field.number == 11) check_attribute(field.bytes, 0);
    }
}

inline void add_opset(OnnxFacts& facts, Message opset) {
    std::string domain;
    std::int64_t version = 0;
    for (Field field; opset.next(field);) {
        if (field.number == 1 && field.is_bytes) domain = field.bytes.text().substr(0, 80);
        if (field.number == 2 && !field.is_bytes) version = static_cast<std::int64_t>(field.value);
    }
    facts.opsets[domain == "ai.onnx" ? "" : domain] = version;
}

/// Versions of the graph in `size` bytes. Throws Error with what is wrong: damaged, or arrays in other files.
inline OnnxFacts check_onnx(const unsigned char* data, std::size_t size) {
    OnnxFacts facts;
    bool has_graph = false;
    Message model(data, size);
    for (Field field; model.next(field);) {
        if (field.number == 1 && !field.is_bytes) facts.ir_version = static_cast<std::int64_t>(field.value);
        if (!field.is_bytes) continue;
        if (field.number == 7) check_graph(field.bytes, 0), has_graph = true;
        if (field.number == 8) add_opset(facts, field.bytes);
        if (field.number == 20) throw Error("it holds a training, which facsim never writes");
        if (field.number == 25) check_function(field.bytes);
    }
    if (!has_graph || facts.ir_version <= 0) throw Error("it is no ONNX graph");
    return facts;
}

}  // namespace facsim::detail
