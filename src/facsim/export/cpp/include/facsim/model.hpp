// An exported model: graph and card, checked against each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <vector>

#include "card.hpp"
#include "onnx_file.hpp"
#include "session.hpp"
#include "sha256.hpp"

namespace facsim {

namespace detail {

/// All bytes of a file. Throws Error where it is none, or larger than `most`.
template <class Bytes>
Bytes read_file(const std::string& path, std::uint64_t most) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) throw Error("'" + path + "' does not exist.");
    if (!std::filesystem::is_regular_file(status)) throw Error("'" + path + "' is no file.");
    const std::uint64_t size = std::filesystem::file_size(path, error);
    if (error) throw Error("'" + path + "' cannot be read.");
    if (size > most)
        throw Error("'" + path + "' has " + std::to_string(size) + " bytes, more than the " + std::to_string(most) +
                    " that are read.");
    std::ifstream file(path, std::ios::binary);
    Bytes bytes(static_cast<std::size_t>(size), 0);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
    if (!file || static_cast<std::uint64_t>(file.gcount()) != size) throw Error("'" + path + "' cannot be read.");
    return bytes;
}

inline std::string shown(const std::vector<std::int64_t>& dims) {
    std::string text = "(";
    for (std::size_t i = 0; i < dims.size(); ++i)
        text += (i == 0 ? "" : ", ") + (dims[i] < 0 ? std::string("any") : std::to_string(dims[i]));
    return text + ")";
}

/// Take sizes that a card leaves open from the graph, and compare all others; `exact` where the graph must say each.
inline void match_port(const Port& port, std::vector<std::int64_t>& shape, ort::ONNXTensorElementDataType type,
                       bool exact) {
    std::vector<std::int64_t> expected = shape;
    expected.insert(expected.begin(), -1);
    std::uint64_t numbers = 1;
    const auto fail = [&](const std::string& why) {
        throw Error("the graph's '" + port.name + "' " + why + ", but the card says " + shown(expected) + ".");
    };
    if (port.type != type)
        throw Error("the graph's '" + port.name + "' has numbers of type " + std::to_string(int(port.type)) +
                    " of ONNX, expected " + std::to_string(int(type)) + ".");
    if (port.dims.size() != expected.size()) fail("has the shape " + shown(port.dims));
    if (port.dims[0] >= 0) fail("takes batches of " + std::to_string(port.dims[0]) + " only");
    for (std::size_t i = 1; i < expected.size(); ++i) {
        const std::int64_t found = port.dims[i];
        if (expected[i] < 0 && found >= 0 && static_cast<std::uint64_t>(found) <= largest_event) shape[i - 1] = found;
        else if (found != expected[i] && (exact || found >= 0)) fail("has the shape " + shown(port.dims));
        else if (expected[i] < 0) fail("has the shape " + shown(port.dims) + ", which leaves a size open");
        numbers *= static_cast<std::uint64_t>(shape[i - 1]);
        if (numbers > largest_event) fail("has the shape " + shown(port.dims) + ", more than 2^28 numbers an event");
    }
}

}  // namespace detail

/// How a model is opened.
struct ModelOptions {
    int threads = 1;  ///< that ONNX Runtime uses for one call
};

/// A surrogate or predictor that is ready to be called. Copies share it; any thread may use it. What was moved from, it
/// or what was made of it, throws Error when it is used.
class Model {
public:
    /// Read `graph` and `card` and check them: the card's format, size and SHA-256 of the graph, no data in other
    /// files, names, types and shapes of all inputs and of the output. Throws Error, in one sentence.
    Model(Runtime runtime, const std::string& graph, const std::string& card, ModelOptions options = {}) {
        try {
            open(std::move(runtime), graph, card, options);
        } catch (const std::bad_alloc&) {
            throw Error("'" + graph + "' needs more memory than there is.");
        }
    }

    const Card& card() const { return parts().card; }
    const Runtime& runtime() const { return parts().session.runtime(); }
    const detail::Session& session() const { return parts().session; }

private:
    struct Parts {
        Card card;
        detail::Session session;
    };

    const Parts& parts() const {
        if (parts_ == nullptr) throw Error("this has no model any more, it was moved: use what it was moved to.");
        return *parts_;
    }

    void open(Runtime runtime, const std::string& graph, const std::string& path, ModelOptions options) {
        if (options.threads < 1)
            throw Error("a model needs at least 1 thread, not " + std::to_string(options.threads) + ".");
        static_cast<void>(runtime.env());  // throws before files are read
        Card card = read_card(detail::read_file<std::string>(path, json::longest), path);
        const auto bytes = detail::read_file<std::vector<unsigned char>>(graph, std::uint64_t{1} << 31);
        const std::string belongs = "; export again, or take the card that was written with it.";
        if (bytes.size() != card.graph_bytes)
            throw Error("'" + graph + "' has " + std::to_string(bytes.size()) + " bytes, but '" + path + "' says " +
                        std::to_string(card.graph_bytes) + belongs);
        if (detail::sha256(bytes.data(), bytes.size()) != card.graph_sha256)
            throw Error("'" + graph + "' is not the graph that '" + path + "' belongs to: its SHA-256 is another" +
                        belongs);
        const detail::OnnxFacts facts = checked(graph, bytes);
        detail::Session session = started(std::move(runtime), graph, bytes, facts, options);
        try {
            match(card, session);
        } catch (const Error& why) {
            throw Error("'" + graph + "': " + why.what());
        }
        parts_ = std::make_shared<const Parts>(Parts{std::move(card), std::move(session)});
    }

    static detail::OnnxFacts checked(const std::string& graph, const std::vector<unsigned char>& bytes) {
        try {
            return detail::check_onnx(bytes.data(), bytes.size());
        } catch (const Error& why) {
            throw Error("'" + graph + "' is refused: " + why.what() + ".");
        }
    }

    static detail::Session started(Runtime runtime, const std::string& graph, const std::vector<unsigned char>& bytes,
                                   const detail::OnnxFacts& facts, ModelOptions options) {
        const std::string version = runtime.version();
        try {
            return {std::move(runtime), bytes.data(), bytes.size(), options.threads};
        } catch (const Error& why) {
            throw Error("'" + graph + "' (" + facts.versions() + ") does not run on ONNX Runtime " + version +
                        ": where it asks for versions that this one lacks, use a newer one or export with a lower "
                        "export.opset; " + why.what());
        }
    }

    static void match(Card& card, const detail::Session& session) {
        constexpr auto number = ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
        std::set<std::string> used;
        const auto input = [&](const std::string& name, std::vector<std::int64_t>& shape, auto type) {
            if (!used.insert(name).second) throw Error("the card names the input '" + name + "' twice.");
            for (const detail::Port& port : session.inputs)
                if (port.name == name) return detail::match_port(port, shape, type, true);
            throw Error("the graph has no input '" + name + "', which the card names.");
        };
        if (card.is_predictor) input(card.events.name, card.events.shape, number);
        if (card.has_mask()) {
            std::vector<std::int64_t> points{card.events.shape.at(0)};
            input("mask", points, ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL);
        }
        if (!card.is_predictor || !card.conditions.empty()) {
            std::vector<std::int64_t> columns{static_cast<std::int64_t>(card.conditions.size())};
            input("condition", columns, number);
        }
        for (Noise& noise : card.noise) input(noise.name, noise.shape, number);
        if (used.size() != session.inputs.size())
            throw Error("the graph has " + std::to_string(session.inputs.size()) + " inputs, but the card names " +
                        std::to_string(used.size()) + ".");
        if (session.outputs.size() != 1 || session.outputs[0].name != card.output.name)
            throw Error("the graph's output is not the one that the card names, '" + card.output.name + "'.");
        detail::match_port(session.outputs[0], card.output.shape, number, false);
        if (!card.is_predictor) card.events = card.output;
    }

    std::shared_ptr<const Parts> parts_;
};

}  // namespace facsim
