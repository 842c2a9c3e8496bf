// Requests of many events collected to batches.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sampler.hpp"

namespace facsim {

/// What a request gets: valid during its callback.
struct Result {
    std::uint64_t id = 0;
    const float* event = nullptr;      ///< numbers in the order of the card's `output`
    std::size_t size = 0;              ///< how many
    const Outside* outside = nullptr;  ///< why the fall-back made it, or nullptr
};

using Deliver = std::function<void(const Result&)>;

/// A request whose callback or fall-back threw.
struct Failure {
    std::uint64_t id = 0;
    std::exception_ptr why;
};

/// Collects requests, runs them when a batch is full or on flush(), and calls each request's callback, in the order in
/// which they came. One queue a thread. A callback may submit further requests.
///
/// Where callbacks or fall-backs throw, all others are delivered nevertheless; then Error says how many failed, and
/// failures() which. Where the runtime fails, the requests of that batch and later ones stay. What is not flushed is
/// dropped with the queue.
class Queue {
public:
    explicit Queue(Model model, SamplerOptions options = {})
        : engine_(std::move(model), options.batch),
          guard_(engine_.card(), options.tolerance),
          fallback_(std::move(options.outside)) {
        waiting_.noise.resize(engine_.card().noise.size());
        running_.noise.resize(engine_.card().noise.size());
    }

    const Card& card() const { return engine_.card(); }
    std::size_t pending() const { return waiting_.requests.size(); }
    /// Of the last submit() or flush() that threw.
    const std::vector<Failure>& failures() const { return failures_; }

    /// Ask for an event at `condition` (K). Its noise is drawn from `generator` now: give each event's own generator,
    /// and results do not depend on what else is in the batch. Throws Error where the condition is outside of the
    /// training range and there is no fall-back; the request is not taken then.
    template <class Generator>
    void submit(std::uint64_t id, const float* condition, Generator& generator, Deliver deliver) {
        auto outside = guard_.check(condition, 0);
        if (outside && !fallback_) {
            if (!busy_) failures_.clear();
            throw Error("request " + std::to_string(id) + ": " + outside->sentence());
        }
        const std::vector<Noise>& arrays = engine_.card().noise;
        for (std::size_t k = 0; k < arrays.size(); ++k) {
            std::vector<float>& noise = waiting_.noise[k];
            noise.resize((pending() + 1) * arrays[k].size);
            fill(arrays[k].distribution, generator, noise.data() + pending() * arrays[k].size, arrays[k].size);
        }
        waiting_.conditions.resize(pending() * engine_.conditions());  // of a request that was broken off
        waiting_.conditions.insert(waiting_.conditions.end(), condition, condition + engine_.conditions());
        waiting_.requests.push_back({id, std::move(deliver), std::move(outside)});
        if (pending() >= engine_.batch) work();
    }

    /// Run what is pending, also what callbacks submit meanwhile.
    void flush() { work(); }

private:
    struct Request {
        std::uint64_t id;
        Deliver deliver;
        std::optional<Outside> outside;
    };

    struct Requests {
        std::vector<Request> requests;
        std::vector<float> conditions;
        std::vector<std::vector<float>> noise;

        void clear() {
            requests.clear();
            conditions.clear();
            for (auto& one : noise) one.clear();
        }
    };

    void work() {
        static_cast<void>(engine_.card());  // throws where the queue was moved
        if (busy_) return;                  // a callback submits or flushes: the loop below comes to it
        busy_ = true;
        failures_.clear();
        try {
            while (!waiting_.requests.empty()) {
                std::swap(waiting_, running_);
                for (std::size_t first = 0; first < running_.requests.size(); first += engine_.batch) chunk(first);
                running_.clear();
            }
        } catch (...) {
            busy_ = false;
            throw;
        }
        busy_ = false;
        if (!failures_.empty()) throw Error(told());
    }

    void chunk(std::size_t first) {
        const std::size_t m = std::min(engine_.batch, running_.requests.size() - first);
        const std::size_t size = engine_.card().output.size(), k = engine_.conditions();
        const float* rows = running_.conditions.data() + first * k;
        outside_.clear();
        for (std::size_t i = 0; i < m; ++i)
            if (running_.requests[first + i].outside) outside_.push_back(i);
        pointers_.clear();
        for (std::size_t a = 0; a < running_.noise.size(); ++a)
            pointers_.push_back(running_.noise[a].data() + first * engine_.card().noise[a].size);
        try {
            events_.resize(m * size);
            engine_.compute(rows, m, outside_, pointers_, events_.data());
        } catch (...) {
            give_back(first);
            throw;
        }
        for (std::size_t i = 0; i < m; ++i)
            deliver(running_.requests[first + i], rows + i * k, events_.data() + i * size);
    }

    void deliver(const Request& request, const float* condition, float* event) {
        const Outside* outside = request.outside ? &*request.outside : nullptr;
        try {
            if (outside != nullptr) {
                std::fill_n(event, engine_.card().output.size(), 0.0f);
                fallback_(*outside, condition, event);
            }
            if (request.deliver) request.deliver({request.id, event, engine_.card().output.size(), outside});
        } catch (...) {
            failures_.push_back({request.id, std::current_exception()});
        }
    }

    /// Requests from `first` on wait again, before those that came meanwhile.
    void give_back(std::size_t first) {
        const auto rest = [](auto& from, auto& to, std::size_t skipped) {
            from.erase(from.begin(), from.begin() + std::ptrdiff_t(skipped));
            from.insert(from.end(), std::make_move_iterator(to.begin()), std::make_move_iterator(to.end()));
            std::swap(from, to);
        };
        rest(running_.requests, waiting_.requests, first);
        rest(running_.conditions, waiting_.conditions, first * engine_.conditions());
        for (std::size_t a = 0; a < running_.noise.size(); ++a)
            rest(running_.noise[a], waiting_.noise[a], first * engine_.card().noise[a].size);
        running_.clear();
    }

    std::string told() const {
        std::string why = "an exception that is none of the standard library's";
        try {
            std::rethrow_exception(failures_.front().why);
        } catch (const std::exception& error) {
            why = error.what();
        } catch (...) {
        }
        return std::to_string(failures_.size()) + " of the requests failed in a callback or fall-back, first that " +
               "with id " + std::to_string(failures_.front().id) + " (" + detail::one_line(why) +
               "); all others were delivered.";
    }

    detail::Engine engine_;
    Guard guard_;
    Fallback fallback_;
    Requests waiting_, running_;
    std::vector<float> events_;
    std::vector<const float*> pointers_;
    std::vector<std::size_t> outside_;
    std::vector<Failure> failures_;
    bool busy_ = false;
};

}  // namespace facsim
