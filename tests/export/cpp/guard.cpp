// The guard in a program that is compiled with -ffast-math and writes numbers as in Germany.
#include <clocale>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <locale>
#include <string>

#include <facsim/guard.hpp>
#include <facsim/json.hpp>

namespace {

struct Comma : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
};

}  // namespace

int main(int argc, char** argv) {
    for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8"})
        if (std::setlocale(LC_ALL, name) != nullptr) break;
    std::locale::global(std::locale(std::locale::classic(), new Comma));
    facsim::Card card;
    card.conditions = {{"E", "MeV", std::get<double>(facsim::json::parse("1000.5").of), 50000.5, true},
                       {"x", "mm", 0, 1, false}};
    const facsim::Guard guard(card, 0);
    for (int i = 2; i < argc; i += 2) {
        // from bits, as this program's strtof wants a comma
        const auto bits = [&](int at) { return static_cast<std::uint32_t>(std::strtoul(argv[at], nullptr, 16)); };
        const std::uint32_t given[] = {bits(i - 1), bits(i)};
        float values[2];
        std::memcpy(values, given, sizeof values);
        const auto why = guard.check(values, 0);
        std::printf("%s\n", why ? why->sentence().c_str() : "inside");
    }
}
