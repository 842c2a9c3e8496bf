// Where a model may be used: inside the range of its training.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <locale>
#include <optional>
#include <sstream>
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
        const std::string unit = condition.unit.empty() ? "" : " " + condition.unit;
        std::ostringstream text;
        text.imbue(std::locale::classic());  // a decimal point, whatever the program's locale
        text.precision(9);
        text << "condition '" << condition.name << "' is ";
        if (!condition.guarded) text << "no finite number.";
        else text << value << unit << ", outside of the training range " << condition.low << " to " << condition.high
                  << unit << ".";
        return text.str();
    }
};

/// What takes over outside of the training range: it writes or adds up the event, in the shape and units of
/// the card. All numbers of the event are zero before.
using Fallback = std::function<void(const Outside& why, const float* condition, float* event)>;

namespace detail {

/// Whether `value` is a number: by its bits, as -ffast-math takes std::isfinite to be always true.
inline bool is_finite(float value) {
    std::uint32_t bits = 0;
    static_assert(sizeof bits == sizeof value);
    std::memcpy(&bits, &value, sizeof bits);
    return (bits & 0x7F800000u) != 0x7F800000u;
}

}  // namespace detail

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
            const bool inside = !conditions_[i].guarded || (value >= low_[i] && value <= high_[i]);
            if (!inside || !detail::is_finite(value)) return Outside{event, i, conditions_[i], value};
        }
        return std::nullopt;
    }

private:
    std::vector<Condition> conditions_;
    std::vector<float> low_, high_;
};

}  // namespace facsim
