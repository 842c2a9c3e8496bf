// The card that travels with a graph: what goes in, what comes out, in which units, and where it was trained.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "card_reader.hpp"

namespace facsim {

/// A named quantity and its unit (HEP units: MeV, mm, ns, rad; empty where it has none).
struct Column {
    std::string name, unit;
};

/// A condition of the graph and the least and greatest value of it in training.
struct Condition {
    std::string name, unit;
    double low = 0, high = 0;
    bool guarded = true;  ///< false for coordinates of given points, which have no range of their own
};

/// An array of events: shape of one event (-1: a size that the graph decides), last axis, order of the axis before.
struct Array {
    std::string name;
    std::vector<std::int64_t> shape;
    std::vector<Column> columns;
    std::string order;

    /// Numbers of one event.
    std::size_t size() const {
        std::size_t numbers = 1;
        for (const std::int64_t n : shape) numbers *= static_cast<std::size_t>(n);
        return numbers;
    }
};

enum class Distribution { normal, uniform };

/// An array of noise: N(0, 1) or U(0, 1).
struct Noise {
    std::string name;
    std::vector<std::int64_t> shape;
    Distribution distribution = Distribution::normal;
    std::size_t size = 1;  ///< numbers of one event
};

/// Cells `first` to `first + cells - 1` of a calorimeter's events: a layer, numbered `id` by the experiment.
struct Layer {
    std::int64_t id = 0;
    std::size_t first = 0, cells = 0;
};

/// What a card says. `json` has all of it: scores, origin of the training events, geometry.
struct Card {
    std::string model;
    std::string representation;  ///< "table", "grid" or "cloud"
    bool is_predictor = false;
    std::vector<Condition> conditions;
    std::vector<Noise> noise;
    Array events;  ///< what a surrogate gives, or a predictor reads
    Array output;  ///< what the graph gives: events, or scores
    std::vector<Layer> layers;
    std::string graph_sha256;
    std::uint64_t graph_bytes = 0;
    json::Value json;

    /// Whether the graph is told which points of an event are there.
    bool has_mask() const { return is_predictor && representation == "cloud"; }
    /// Of the events' first column.
    const std::string& unit() const { return events.columns.front().unit; }
};

namespace detail {

inline constexpr int card_version = 1;
inline constexpr std::uint64_t largest_event = std::uint64_t{1} << 28;  // numbers: a gigabyte of float

inline void check_format(const Node& card) {
    const std::string format = card.at("format").text(), begin = "facsim-card-";
    const std::string version = format.substr(0, begin.size()) == begin ? format.substr(begin.size()) : "";
    const bool whole = !version.empty() && version.size() < 9 &&
                       version.find_first_not_of("0123456789") == std::string::npos;
    if (!whole || std::stoi(version) < 1)
        card.fail("'format' is '" + format.substr(0, 80) + "', expected '" + begin + "1'");
    if (std::stoi(version) > card_version)
        card.fail("it is of a newer facsim (" + format + ", these headers read up to " + begin +
                  std::to_string(card_version) + "): take the headers of that version with 'facsim cpp'");
}

/// Shape behind the batch. -1 stands for a name, as "points".
inline std::vector<std::int64_t> read_shape(const Node& shape) {
    if (shape.size() == 0 || shape.at(0).text() != "batch") shape.fail("expected the batch first");
    std::vector<std::int64_t> dims;
    std::uint64_t numbers = 1;
    for (std::size_t i = 1; i < shape.size(); ++i) {
        const Node size = shape.at(i);
        dims.push_back(size.is_text() ? -1 : static_cast<std::int64_t>(size.whole(largest_event)));
        const std::uint64_t n = size.is_text() ? 1 : static_cast<std::uint64_t>(dims.back());
        if (n > 0 && numbers > largest_event / n) shape.fail("more than 2^28 numbers an event");
        numbers *= n;
    }
    return dims;
}

inline std::vector<Column> read_columns(const Node& columns) {
    std::vector<Column> found;
    for (std::size_t i = 0; i < columns.size(); ++i)
        found.push_back({columns.at(i).at("name").text(), columns.at(i).at("unit").text()});
    return found;
}

inline Array read_array(const Node& of, const std::string& name) {
    Array found{name, read_shape(of.at("shape")), read_columns(of.at("columns")), ""};
    if (const Node order = of.find("order")) found.order = order.text();
    const auto last = static_cast<std::int64_t>(found.columns.size());
    if (found.shape.empty() || found.shape.back() != last || last == 0)
        of.fail("'columns' and the last size of 'shape' disagree");
    return found;
}

inline std::vector<Condition> read_conditions(const Node& of) {
    const Node columns = of.at("columns");
    const Node points = of.find("given_points");
    const std::size_t n = columns.size();
    const std::uint64_t given = points ? points.whole(n / 3) : 0;
    std::vector<Condition> found;
    for (std::size_t i = 0; i < n; ++i) {
        const Node column = columns.at(i);
        found.push_back({column.at("name").text(), column.at("unit").text(), column.at("min").number(),
                         column.at("max").number(), i + 3 * given < n});
        if (found.back().low > found.back().high) column.fail("'min' is above 'max'");
    }
    if (read_shape(of.at("shape")) != std::vector<std::int64_t>{static_cast<std::int64_t>(n)})
        of.fail("'columns' and 'shape' disagree");
    return found;
}

inline Noise read_noise(const Node& of) {
    Noise noise;
    noise.name = of.at("name").text();
    noise.shape = read_shape(of.at("shape"));
    const std::string kind = of.at("distribution").text();
    if (kind != "normal" && kind != "uniform")
        of.fail("'distribution' is '" + kind.substr(0, 80) + "', expected 'normal' or 'uniform'");
    noise.distribution = kind == "normal" ? Distribution::normal : Distribution::uniform;
    for (const std::int64_t n : noise.shape) {
        if (n < 0) of.fail("'shape' has a size that is no number");
        noise.size *= static_cast<std::size_t>(n);
    }
    return noise;
}

/// Layers of a calorimeter; none for other geometries.
inline std::vector<Layer> read_layers(const Node& schema) {
    std::vector<Layer> found;
    const Node geometry = schema.find("geometry");
    const Node layers = geometry ? geometry.find("layers") : Node{};
    std::size_t first = 0;
    for (std::size_t i = 0; layers && i < layers.size(); ++i) {
        const Node layer = layers.at(i), places = layer.find("x_mm");
        const std::size_t rings = places ? 0 : layer.at("r_edges_mm").size();
        const std::size_t cells =
            places ? places.size() : (rings > 0 ? rings - 1 : 0) * layer.at("n_alpha").whole(largest_event);
        if (cells > largest_event) layer.fail("too many cells");
        found.push_back({layer.at("id").integer(), first, cells});
        first += cells;
    }
    return found;
}

}  // namespace detail

/// Read the text of a card; `name` is said in messages. Throws Error.
inline Card read_card(const std::string& text, const std::string& name) {
    Card card;
    try {
        card.json = json::parse(text);
    } catch (const Error& why) {
        throw Error("the card '" + name + "' is " + why.what() + ".");
    }
    const detail::Node root(&card.json, "the card '" + name + "'", "");
    detail::check_format(root);
    const detail::Node inputs = root.at("inputs"), schema = root.at("schema"), output = root.at("output");
    card.model = root.at("model").text();
    card.representation = schema.at("representation").text();
    card.output = detail::read_array(output, output.at("name").text());
    const detail::Node events = inputs.find("events");
    card.is_predictor = static_cast<bool>(events);
    card.events = events ? detail::read_array(events, "events") : card.output;
    if (const detail::Node condition = inputs.find("condition")) card.conditions = detail::read_conditions(condition);
    if (const detail::Node noise = inputs.find("noise"))
        for (std::size_t i = 0; i < noise.size(); ++i) card.noise.push_back(detail::read_noise(noise.at(i)));
    card.layers = detail::read_layers(schema);
    const detail::Node graph = root.at("graph");
    card.graph_sha256 = graph.at("sha256").text();
    card.graph_bytes = graph.at("bytes").whole(std::uint64_t{1} << 40);
    return card;
}

}  // namespace facsim
