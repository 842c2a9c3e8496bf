// Where a model may be used: inside the range of its training.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "card.hpp"

namespace facsim {

/// Share of a bound of the training range by which a condition may lie beyond it, as in Python and in C.
inline constexpr double range_tolerance = 0.01;

/// A condition outside of the training range, or one that is no finite number.
struct Outside {
    std::size_t event = 0;   ///< of the call, counted from 0; in a queue 0
    std::size_t column = 0;  ///< of the conditions
    Condition condition;
    float value = 0;

    /// Which condition and range, in the units of the card.
    std::string sentence() const {
        char text[160];
        const std::string begin = "condition '" + condition.name + "'";
        if (!condition.guarded) return begin + " is no finite number.";
        const std::string unit = condition.unit.empty() ? "" : " " + condition.unit;
        std::snprintf(text, sizeof text, " is %.9g%.20s, outside of the training range %.9g to %.9g%.20s.",
                      static_cast<double>(value), unit.c_str(), condition.low, condition.high, unit.c_str());
        return begin + text;
    }
};

/// What takes over outside of the training range: it writes or adds up the event, in the shape and units of
/// the card. All numbers of the event are zero before.
using Fallback = std::function<void(const Outside& why, const float* condition, float* event)>;

/// Checks conditions against the range of the training; NaN and infinity are outside.
class Guard {
public:
    /// `tolerance`: share of a bound by which a condition may lie beyond it.
    Guard(const Card& card, double tolerance) : conditions_(card.conditions) {
        if (!(tolerance >= 0 && tolerance < 1e6)) throw Error("a tolerance is a share, 0 or more.");
        for (const Condition& c : conditions_) {
            // as the conditions themselves are: a bound rounded to float is inside
            low_.push_back(static_cast<float>(c.low - tolerance * std::abs(c.low)));
            high_.push_back(static_cast<float>(c.high + tolerance * std::abs(c.high)));
        }
    }

    /// What is wrong with the conditions of event number `event`, if anything is.
    std::optional<Outside> check(const float* values, std::size_t event) const {
        for (std::size_t i = 0; i < conditions_.size(); ++i) {
            const float value = values[i];
            const bool inside = conditions_[i].guarded ? value >= low_[i] && value <= high_[i] : true;
            if (!inside || !std::isfinite(value)) return Outside{event, i, conditions_[i], value};
        }
        return std::nullopt;
    }

private:
    std::vector<Condition> conditions_;
    std::vector<float> low_, high_;
};

}  // namespace facsim
