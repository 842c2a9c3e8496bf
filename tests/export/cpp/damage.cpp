// Read a card and a graph, damaged in thousands of ways, without the runtime: each is read or told, and nothing else.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include <facsim/card.hpp>
#include <facsim/onnx_file.hpp>

namespace {

std::string read(const char* path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string damaged(std::string bytes, std::mt19937& generator) {
    const auto any = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(generator); };
    for (std::size_t change = 0; change <= any(4) && !bytes.empty(); ++change) {
        const std::size_t at = any(bytes.size());
        const char value = static_cast<char>(any(256));
        switch (any(4)) {
            case 0: bytes[at] = value; break;
            case 1: bytes.insert(at, 1, value); break;
            case 2: bytes.erase(at, 1); break;
            default: bytes.resize(at + 1);
        }
    }
    return bytes;
}

template <class Work>
bool told(Work work) {
    try {
        work();
        return false;
    } catch (const facsim::Error&) {
        return true;
    }
}

}  // namespace

int main(int, char** argv) {
    const std::string graph = read(argv[1]), card = read(argv[2]);
    std::mt19937 generator(static_cast<unsigned>(std::atoi(argv[3])));
    int graphs = 0, cards = 0;
    for (int i = 0; i < 3000; ++i) {
        const std::string bytes = damaged(graph, generator), text = damaged(card, generator);
        const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
        graphs += told([&] { facsim::detail::check_onnx(data, bytes.size()); });
        cards += told([&] { facsim::read_card(text, "card.json"); });
    }
    std::printf("%d %d\n", graphs, cards);
}
