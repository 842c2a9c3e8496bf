// A value of a card with its place, so that what is wrong can be said.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "json.hpp"

namespace facsim::detail {

/// A value in a card and where it is; false where there is none.
class Node {
public:
    Node() = default;
    Node(const json::Value* value, std::string file, std::string path)
        : value_(value), file_(std::move(file)), path_(std::move(path)) {}

    /// False for what is not there, and for null.
    explicit operator bool() const {
        return value_ != nullptr && !std::holds_alternative<std::nullptr_t>(value_->of);
    }
    bool is_text() const { return std::holds_alternative<std::string>(value_->of); }

    [[noreturn]] void fail(const std::string& why) const {
        throw Error(file_ + (path_.empty() ? "" : ", at '" + path_ + "'") + ": " + why + ".");
    }

    Node find(const std::string& key) const {
        return {value_->find(key), file_, path_.empty() ? key : path_ + "." + key};
    }
    Node at(const std::string& key) const {
        Node found = find(key);
        if (!found) fail("it lacks '" + key + "'");
        return found;
    }
    std::size_t size() const { return get<json::Array>("a list").size(); }
    Node at(std::size_t i) const {
        return {&get<json::Array>("a list").at(i), file_, path_ + "[" + std::to_string(i) + "]"};
    }
    const std::string& text() const { return get<std::string>("a text"); }
    double number() const { return get<double>("a number"); }
    std::uint64_t whole(std::uint64_t most) const {
        const double value = number();
        if (!(value >= 0 && value <= static_cast<double>(most) && value == std::floor(value)))
            fail("expected a whole number up to " + std::to_string(most));
        return static_cast<std::uint64_t>(value);
    }

    /// Any whole number that a double holds exactly.
    std::int64_t integer() const {
        const double value = number(), most = 9007199254740992.0;
        if (!(std::abs(value) <= most && value == std::floor(value))) fail("expected a whole number");
        return static_cast<std::int64_t>(value);
    }

private:
    template <class Kind>
    const Kind& get(const char* what) const {
        const Kind* found = value_ == nullptr ? nullptr : std::get_if<Kind>(&value_->of);
        if (found == nullptr) fail(std::string("expected ") + what);
        return *found;
    }

    const json::Value* value_ = nullptr;
    std::string file_, path_;
};

}  // namespace facsim::detail
