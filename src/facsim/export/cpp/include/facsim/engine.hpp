// One thread's calls of a surrogate, without anything that users see.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "guard.hpp"
#include "model.hpp"

namespace facsim::detail {

inline constexpr std::uint64_t largest_batch = std::uint64_t{1} << 32;  // numbers of noise or events: 16 gigabytes

/// Runs batches of up to `batch` events; those outside of the training range are left to others.
class Engine {
public:
    Engine(Model model, std::size_t most) : batch(most), model_(std::move(model)) {
        const Card& card = model_.card();
        if (card.is_predictor) throw Error("the card is of a predictor: use facsim::Predictor in place of a sampler.");
        std::uint64_t numbers = card.output.size() + card.conditions.size() + 1;
        for (const Noise& noise : card.noise) numbers += noise.size;
        if (most == 0 || most > largest_batch / numbers)
            throw Error("a batch of " + std::to_string(most) + " events cannot be: expected 1 to " +
                        std::to_string(largest_batch / numbers) + ".");
        constexpr auto number = ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
        call_.add("condition", {static_cast<std::int64_t>(card.conditions.size())}, number);
        for (const Noise& noise : card.noise) call_.add(noise.name, noise.shape, number);
        call_.add(card.output.name, card.output.shape, number);
    }

    const Model& model() const { return model_; }
    const Card& card() const { return model_.card(); }
    std::size_t conditions() const { return card().conditions.size(); }

    /// Write `n` events at `conditions` (n, K) with `noise` (a pointer for each array). `outside` says which events,
    /// numbered from 0, are not to be computed; what stands in their rows then has no meaning.
    template <class Noises>
    void compute(const float* conditions, std::size_t n, const std::vector<std::size_t>& outside, const Noises& noise,
                 float* events) {
        if (outside.size() == n) return;
        data_.clear();
        data_.push_back(outside.empty() ? conditions : replaced(conditions, n, outside));
        data_.insert(data_.end(), noise.begin(), noise.end());
        data_.push_back(events);
        call_.run(model_.session(), n, data_);
    }

    const std::size_t batch;

private:
    /// Conditions in which those of events outside are those of the first one inside, so that the rest may be run.
    const float* replaced(const float* conditions, std::size_t n, const std::vector<std::size_t>& outside) {
        const std::size_t k = this->conditions();
        safe_.assign(conditions, conditions + n * k);
        std::size_t inside = 0;
        while (std::find(outside.begin(), outside.end(), inside) != outside.end()) ++inside;
        for (const std::size_t event : outside)
            std::copy_n(conditions + inside * k, k, safe_.begin() + std::ptrdiff_t(event * k));
        return safe_.data();
    }

    Model model_;
    Call call_;
    std::vector<const void*> data_;
    std::vector<float> safe_;
};

}  // namespace facsim::detail
