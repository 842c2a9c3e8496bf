// Random numbers for the noise of a surrogate: from any generator of the host, or by seed and event number.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>

#include "card.hpp"

namespace facsim {

/// Philox4x32-10 (Salmon et al., SC11, doi 10.1145/2063384.2063405): random words by seed, event and stream.
///
/// Any event's numbers can be had without those before it, so that they do not depend on threads or batches. The
/// stream is the number of the noise array. A generator as those of <random>.
class Philox {
public:
    using result_type = std::uint32_t;

    Philox(std::uint64_t seed, std::uint64_t event, std::uint32_t stream = 0)
        : seed_(seed), event_(event), stream_(stream) {}

    static constexpr result_type min() { return 0; }
    static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

    result_type operator()() {
        if (used_ == 4) refill();
        return words_[used_++];
    }

private:
    void refill() {
        std::array<std::uint32_t, 4> c = {static_cast<std::uint32_t>(event_), static_cast<std::uint32_t>(event_ >> 32),
                                          block_++, stream_};
        std::uint32_t k0 = static_cast<std::uint32_t>(seed_), k1 = static_cast<std::uint32_t>(seed_ >> 32);
        for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
            const std::uint64_t a = std::uint64_t{0xD2511F53u} * c[0], b = std::uint64_t{0xCD9E8D57u} * c[2];
            c = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(b),
                 static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(a)};
        }
        words_ = c;
        used_ = 0;
    }

    std::uint64_t seed_, event_;
    std::uint32_t stream_, block_ = 0;
    std::array<std::uint32_t, 4> words_{};
    std::size_t used_ = 4;
};

/// A generator out of a function that gives numbers uniform in (0, 1), as CLHEP's flat() or ROOT's Rndm().
class Flat {
public:
    using result_type = std::uint32_t;

    explicit Flat(std::function<double()> flat) : flat_(std::move(flat)) {}

    static constexpr result_type min() { return 0; }
    static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

    result_type operator()() {
        const double scaled = flat_() * 4294967296.0;
        return scaled > 0 ? static_cast<result_type>(std::min(scaled, 4294967295.0)) : 0;
    }

private:
    std::function<double()> flat_;
};

namespace detail {

/// Words of 32 random bits of any generator; one of 64 bits gives two.
template <class Generator>
class Words {
public:
    explicit Words(Generator& generator) : generator_(generator) {}

    std::uint32_t operator()() {
        using Result = typename Generator::result_type;
        constexpr std::uint64_t most = static_cast<std::uint64_t>(Generator::max());
        constexpr bool from_zero = Generator::min() == Result{0};
        if constexpr (from_zero && most == std::numeric_limits<std::uint32_t>::max()) {
            return static_cast<std::uint32_t>(generator_());
        } else if constexpr (from_zero && most == std::numeric_limits<std::uint64_t>::max()) {
            kept_ = !kept_;
            if (kept_) both_ = static_cast<std::uint64_t>(generator_());
            return static_cast<std::uint32_t>(kept_ ? both_ : both_ >> 32);
        } else {
            const double part = std::generate_canonical<double, 32>(generator_) * 4294967296.0;
            return static_cast<std::uint32_t>(std::min(part, 4294967295.0));
        }
    }

private:
    Generator& generator_;
    std::uint64_t both_ = 0;
    bool kept_ = false;
};

}  // namespace detail

/// Fill `n` numbers: N(0, 1) by Box and Muller (up to 6.66 sigma), or U(0, 1) in steps of 2^-24.
///
/// Written out as in the export to C, since the distributions of <random> differ between libraries.
template <class Generator>
void fill(Distribution distribution, Generator& generator, float* out, std::size_t n) {
    detail::Words<Generator> word(generator);
    if (distribution == Distribution::uniform) {
        for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(word() >> 8) * 5.9604645e-8f;
        return;
    }
    for (std::size_t i = 0; i < n; i += 2) {
        const float u = (static_cast<float>(word()) + 1.0f) * 2.3283064e-10f;
        const float r = std::sqrt(-2.0f * std::log(u)), angle = static_cast<float>(word() >> 8) * 3.7450704e-7f;
        out[i] = r * std::cos(angle);
        if (i + 1 < n) out[i + 1] = r * std::sin(angle);
    }
}

}  // namespace facsim
