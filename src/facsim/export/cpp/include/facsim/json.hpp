// JSON (RFC 8259), read strictly: no more than a card needs.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <locale>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "error.hpp"

namespace facsim::json {

struct Value;
using Array = std::vector<Value>;
using Object = std::map<std::string, Value>;

/// null, a truth value, a number, a text, an array or an object.
struct Value {
    std::variant<std::nullptr_t, bool, double, std::string, Array, Object> of = nullptr;

    /// The value at `key`, nullptr where this is no object or has no such key.
    const Value* find(const std::string& key) const {
        const auto* object = std::get_if<Object>(&of);
        if (object == nullptr) return nullptr;
        const auto found = object->find(key);
        return found == object->end() ? nullptr : &found->second;
    }
};

inline constexpr std::size_t deepest = 64;
inline constexpr std::size_t longest = std::size_t{1} << 26;

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) { number_.imbue(std::locale::classic()); }

    Value document() {
        if (text_.size() > longest) fail("is longer than 64 MiB");
        Value value = any(0);
        space();
        if (at_ != text_.size()) fail("goes on after its end");
        return value;
    }

private:
    [[noreturn]] void fail(const char* why) const {
        throw Error("no JSON: it " + std::string(why) + ", at byte " + std::to_string(at_));
    }
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    char take() {
        if (at_ >= text_.size()) fail("ends too early");
        return text_[at_++];
    }
    void space() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
    }
    void expect(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) fail("has a word that is none");
        at_ += word.size();
    }
    bool more(char close) {
        space();
        const char next = take();
        if (next != ',' && next != close) fail("lacks a comma or a bracket");
        return next == ',';
    }

    Value any(std::size_t depth) {
        if (depth > deepest) fail("is nested too deeply");
        space();
        switch (peek()) {
            case '{': return object(depth);
            case '[': return array(depth);
            case '"': return Value{string()};
            case 't': expect("true"); return Value{true};
            case 'f': expect("false"); return Value{false};
            case 'n': expect("null"); return Value{};
            default: return Value{number()};
        }
    }

    Value object(std::size_t depth) {
        Object found;
        ++at_;
        space();
        if (peek() == '}') return ++at_, Value{std::move(found)};
        do {
            space();
            if (peek() != '"') fail("has a key that is no text");
            std::string key = string();
            space();
            if (take() != ':') fail("lacks a colon");
            if (!found.emplace(std::move(key), any(depth + 1)).second) fail("has a key twice");
        } while (more('}'));
        return Value{std::move(found)};
    }

    Value array(std::size_t depth) {
        Array found;
        ++at_;
        space();
        if (peek() == ']') return ++at_, Value{std::move(found)};
        do found.push_back(any(depth + 1));
        while (more(']'));
        return Value{std::move(found)};
    }

    std::size_t digits() {
        const std::size_t first = at_;
        while (peek() >= '0' && peek() <= '9') ++at_;
        if (at_ == first) fail("has something that is no value");
        return at_ - first;
    }

    double number() {
        const std::size_t first = at_;
        if (peek() == '-') ++at_;
        const char head = peek();
        if (digits() > 1 && head == '0') fail("has a number that begins with 0");
        if (peek() == '.') ++at_, digits();
        if (peek() == 'e' || peek() == 'E') {
            ++at_;
            if (peek() == '+' || peek() == '-') ++at_;
            digits();
        }
        // neither strtod, which heeds the program's locale, nor from_chars, which many libraries lack for double
        number_.clear();
        number_.str(std::string(text_.substr(first, at_ - first)));
        double value = 0;
        number_ >> value;
        // some libraries also set this flag for numbers that are merely very small
        if (number_.fail() && !(std::abs(value) < std::numeric_limits<double>::max()))
            fail("has a number that is too large");
        return value;
    }

    std::uint32_t hex() {
        std::uint32_t code = 0;
        for (int i = 0; i < 4; ++i) {
            const std::size_t digit = std::string_view("0123456789abcdef0123456789ABCDEF").find(take());
            if (digit == std::string_view::npos) fail("has a broken escape");
            code = code * 16 + static_cast<std::uint32_t>(digit % 16);
        }
        return code;
    }

    std::uint32_t code_point() {
        const std::uint32_t first = hex();
        if (first < 0xD800 || first > 0xDFFF) return first;
        if (first > 0xDBFF || take() != '\\' || take() != 'u') fail("has half a character");
        const std::uint32_t second = hex();
        if (second < 0xDC00 || second > 0xDFFF) fail("has half a character");
        return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    }

    static void append(std::string& out, std::uint32_t code) {
        const auto part = [&](std::uint32_t bits) { out += static_cast<char>(static_cast<unsigned char>(bits)); };
        if (code < 0x80) return part(code);
        if (code < 0x800) {
            part(0xC0 | code >> 6);
        } else {
            if (code < 0x10000) {
                part(0xE0 | code >> 12);
            } else {
                part(0xF0 | code >> 18);
                part(0x80 | (code >> 12 & 0x3F));
            }
            part(0x80 | (code >> 6 & 0x3F));
        }
        part(0x80 | (code & 0x3F));
    }

    std::string string() {
        std::string out;
        ++at_;
        for (char c = take(); c != '"'; c = take()) {
            if (static_cast<unsigned char>(c) < 0x20) fail("has a control character in a text");
            if (c != '\\') {
                out += c;
                continue;
            }
            const char escape = take();
            if (escape == 'u') {
                append(out, code_point());
                continue;
            }
            const std::size_t known = std::string_view("\"\\/bfnrt").find(escape);
            if (known == std::string_view::npos) fail("has a broken escape");
            out += "\"\\/\b\f\n\r\t"[known];
        }
        return out;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::istringstream number_;
};

/// Parse `text`. Throws Error with what is wrong and where.
inline Value parse(std::string_view text) { return Parser(text).document(); }

}  // namespace facsim::json
