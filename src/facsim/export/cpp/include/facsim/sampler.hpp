// Events of a surrogate.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "engine.hpp"
#include "noise.hpp"

namespace facsim {

/// How a sampler works.
struct SamplerOptions {
    std::size_t batch = 1;               ///< events of one call of the runtime, at most
    double tolerance = range_tolerance;  ///< share of a bound by which a condition may lie beyond it
    Fallback outside = nullptr;          ///< makes events whose conditions lie outside; without it they are refused
};

/// Samples events: one sampler a thread, any number of them of one model.
///
/// Conditions are (n, K), row by row, in the units of the card; events are written to (n, ...) as the card's `output`.
/// Where an event lies outside of the training range and there is no fall-back, Error is thrown before any is made.
/// What a fall-back throws is passed on; events of later batches are not made then.
class Sampler {
public:
    explicit Sampler(Model model, SamplerOptions options = {})
        : engine_(std::move(model), options.batch),
          guard_(engine_.card(), options.tolerance),
          fallback_(std::move(options.outside)) {
        const std::vector<Noise>& noise = engine_.card().noise;
        try {
            for (const Noise& one : noise) noise_.emplace_back(options.batch * one.size);
        } catch (const std::bad_alloc&) {
            throw Error("a batch of " + std::to_string(options.batch) + " events needs more memory than there is.");
        }
    }

    const Card& card() const { return engine_.card(); }
    /// Numbers of one event.
    std::size_t event_size() const { return engine_.card().output.size(); }

    /// With the host's generator (as those of <random>; see Flat for others). Numbers are drawn event by event, so that
    /// the batch does not change which of them an event gets.
    template <class Generator>
    void sample(const float* conditions, std::size_t n, Generator& generator, float* events) {
        drawn(conditions, n, events, [&](std::size_t, std::size_t, const Noise& noise, float* out) {
            fill(noise.distribution, generator, out, noise.size);
        });
    }

    /// With Philox: events number `first`, `first` + 1 ... of `seed`, the same on any thread and in any order.
    void generate(const float* conditions, std::size_t n, std::uint64_t seed, std::uint64_t first, float* events) {
        drawn(conditions, n, events, [&](std::size_t event, std::size_t array, const Noise& noise, float* out) {
            Philox philox(seed, first + event, static_cast<std::uint32_t>(array));
            fill(noise.distribution, philox, out, noise.size);
        });
    }

    /// With given noise: for each array of the card's, in its order, a pointer to (n, shape).
    void run(const float* conditions, std::size_t n, const std::vector<const float*>& noise, float* events) {
        const std::vector<Noise>& arrays = engine_.card().noise;
        if (noise.size() != arrays.size())
            throw Error("expected " + std::to_string(arrays.size()) + " arrays of noise, not " +
                        std::to_string(noise.size()) + ".");
        batches(conditions, n, events, [&](std::size_t first, std::size_t, std::size_t array) {
            return noise[array] + first * arrays[array].size;
        });
    }

private:
    template <class Draw>
    void drawn(const float* conditions, std::size_t n, float* events, Draw draw) {
        const std::vector<Noise>& arrays = engine_.card().noise;
        batches(conditions, n, events, [&](std::size_t first, std::size_t m, std::size_t array) {
            // the first array asks for all, event by event
            for (std::size_t event = 0; array == 0 && event < m; ++event)
                for (std::size_t k = 0; k < arrays.size(); ++k)
                    draw(first + event, k, arrays[k], noise_[k].data() + event * arrays[k].size);
            return noise_[array].data();
        });
    }

    /// `place(first, m, array)` gives where noise of events `first` to `first + m - 1` lies.
    template <class Place>
    void batches(const float* conditions, std::size_t n, float* events, Place place) {
        const std::size_t k = engine_.conditions(), size = event_size();
        for (std::size_t event = 0; !fallback_ && event < n; ++event)
            if (const auto why = guard_.check(conditions + event * k, event))
                throw Error("event " + std::to_string(event) + ": " + why->sentence());
        for (std::size_t first = 0; first < n; first += engine_.batch) {
            const std::size_t m = std::min(engine_.batch, n - first);
            const float* rows = conditions + first * k;
            std::vector<Outside> reasons;  // not members: a fall-back may call this sampler
            std::vector<std::size_t> outside;
            for (std::size_t event = 0; fallback_ && event < m; ++event) {
                auto why = guard_.check(rows + event * k, first + event);
                if (!why) continue;
                reasons.push_back(std::move(*why));
                outside.push_back(event);
            }
            pointers_.clear();
            for (std::size_t array = 0; array < engine_.card().noise.size(); ++array)
                pointers_.push_back(place(first, m, array));
            engine_.compute(rows, m, outside, pointers_, events + first * size);
            for (std::size_t i = 0; i < reasons.size(); ++i) {
                float* event = events + (first + outside[i]) * size;
                std::fill_n(event, size, 0.0f);
                fallback_(reasons[i], rows + outside[i] * k, event);
            }
        }
    }

    detail::Engine engine_;
    Guard guard_;
    Fallback fallback_;
    std::vector<std::vector<float>> noise_;
    std::vector<const float*> pointers_;
};

}  // namespace facsim
