// Scores of a predictor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "guard.hpp"
#include "model.hpp"

namespace facsim {

/// Scores events: one predictor a thread, any number of them of one model.
class Predictor {
public:
    explicit Predictor(Model model, double tolerance = range_tolerance)
        : model_(std::move(model)), guard_(model_.card(), tolerance) {
        const Card& card = model_.card();
        if (!card.is_predictor) throw Error("the card is of a surrogate: use facsim::Sampler in place of a predictor.");
        constexpr auto number = ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
        call_.add("events", card.events.shape, number);
        if (card.has_mask()) call_.add("mask", {card.events.shape[0]}, ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL);
        const auto columns = static_cast<std::int64_t>(card.conditions.size());
        if (columns > 0) call_.add("condition", {columns}, number);
        call_.add(card.output.name, card.output.shape, number);
    }

    const Card& card() const { return model_.card(); }

    /// Write `scores` (n, D) of `events` (n, ...), shapes as the card's `output` and `events`. Of clouds, `mask`
    /// (n, points) says which points are there; `conditions` (n, K) are needed where the card has some.
    void score(const float* events, std::size_t n, float* scores, const bool* mask = nullptr,
               const float* conditions = nullptr) {
        const Card& card = model_.card();
        if (n == 0) return;
        data_.assign(1, events);
        if (card.has_mask()) {
            if (mask == nullptr) throw Error("these events are clouds: a mask is needed.");
            data_.push_back(mask);
        }
        if (!card.conditions.empty()) {
            if (conditions == nullptr) throw Error("this predictor reads conditions, and none are given.");
            for (std::size_t event = 0; event < n; ++event)
                if (const auto why = guard_.check(conditions + event * card.conditions.size(), event))
                    throw Error("event " + std::to_string(event) + ": " + why->sentence());
            data_.push_back(conditions);
        }
        data_.push_back(scores);
        call_.run(model_.session(), n, data_);
    }

private:
    Model model_;
    Guard guard_;
    detail::Call call_;
    std::vector<const void*> data_;
};

}  // namespace facsim
