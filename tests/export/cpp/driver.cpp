// What the tests ask of the headers: a command, its files as raw float32, its answer as text.
#include <facsim/facsim.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <stdexcept>
#include <thread>

namespace {

using Floats = std::vector<float>;
using Words = std::vector<std::string>;

Floats read(const std::string& path) {
    const auto bytes = facsim::detail::read_file<std::string>(path, std::uint64_t{1} << 32);
    Floats numbers(bytes.size() / sizeof(float));
    if (!bytes.empty()) std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(float));
    return numbers;
}

void write(const std::string& path, const Floats& numbers) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(numbers.data()), std::streamsize(numbers.size() * sizeof(float)));
}

std::size_t whole(const std::string& text) { return std::strtoull(text.c_str(), nullptr, 10); }

facsim::SamplerOptions options(std::size_t batch, facsim::Fallback outside = nullptr, double tolerance = 0) {
    facsim::SamplerOptions found;
    found.batch = batch;
    found.outside = std::move(outside);
    found.tolerance = tolerance;
    return found;
}

// graph card
void card(const facsim::Model& model, const Words&) {
    const facsim::Card& c = model.card();
    std::printf("%s %s %s %zu\n%s\n", c.model.c_str(), c.representation.c_str(), c.unit().c_str(), c.events.size(),
                c.events.order.c_str());
    for (const facsim::Condition& one : c.conditions)
        std::printf("%s %s %.9g %.9g\n", one.name.c_str(), one.unit.c_str(), one.low, one.high);
    for (const facsim::Noise& one : c.noise)
        std::printf("%s %zu %s\n", one.name.c_str(), one.size,
                    one.distribution == facsim::Distribution::normal ? "normal" : "uniform");
    for (const facsim::Layer& one : c.layers) std::printf("%zu %zu\n", one.first, one.cells);
    std::printf("%s\n", model.runtime().version().c_str());
}

// batch conditions out noise...
void run(const facsim::Model& model, const Words& words) {
    facsim::Sampler sampler(model, options(whole(words[0])));
    const Floats conditions = read(words[1]);
    std::vector<Floats> arrays;
    for (std::size_t i = 3; i < words.size(); ++i) arrays.push_back(read(words[i]));
    std::vector<const float*> noise;
    for (const Floats& array : arrays) noise.push_back(array.data());
    const std::size_t n = conditions.size() / model.card().conditions.size();
    Floats events(n * sampler.event_size());
    sampler.run(conditions.data(), n, noise, events.data());
    write(words[2], events);
}

// batch conditions out seed threads: each thread takes every other block of ten
void generate(const facsim::Model& model, const Words& words) {
    const Floats conditions = read(words[1]);
    const std::size_t k = model.card().conditions.size(), n = conditions.size() / k, threads = whole(words[4]);
    const std::size_t size = model.card().output.size();
    Floats events(n * size);
    std::vector<std::thread> pool;
    for (std::size_t t = 0; t < threads; ++t)
        pool.emplace_back([&, t] {
            facsim::Sampler sampler(model, options(whole(words[0])));
            for (std::size_t i = 10 * t; i < n; i += 10 * threads)
                sampler.generate(&conditions[i * k], std::min<std::size_t>(10, n - i), whole(words[3]), i,
                                 &events[i * size]);
        });
    for (std::thread& thread : pool) thread.join();
    write(words[2], events);
}

// batch conditions out engine
void sample(const facsim::Model& model, const Words& words) {
    facsim::Sampler sampler(model, options(whole(words[0])));
    const Floats conditions = read(words[1]);
    const std::size_t n = conditions.size() / model.card().conditions.size();
    Floats events(n * sampler.event_size());
    std::mt19937_64 generator(whole(words[3]));
    sampler.sample(conditions.data(), n, generator, events.data());
    write(words[2], events);
}

// batch conditions out tolerance seed: the fall-back writes -1, and says why
void guard(const facsim::Model& model, const Words& words) {
    const auto hook = [&](const facsim::Outside& why, const float* condition, float* event) {
        std::printf("%zu %zu %.9g %s\n", why.event, why.column, double(condition[why.column]), why.sentence().c_str());
        std::fill_n(event, model.card().output.size(), -1.0f);
    };
    facsim::Sampler sampler(model, options(whole(words[0]), hook, std::strtod(words[3].c_str(), nullptr)));
    const Floats conditions = read(words[1]);
    const std::size_t n = conditions.size() / model.card().conditions.size();
    Floats events(n * sampler.event_size());
    sampler.generate(conditions.data(), n, whole(words[4]), 0, events.data());
    write(words[2], events);
}

// batch conditions out: the fall-back calls the same sampler at the edge of the range, and adds 1 to what it is given
void nested(const facsim::Model& model, const Words& words) {
    facsim::Sampler* self = nullptr;
    std::mt19937 edges(2), generator(1);
    const std::size_t size = model.card().output.size();
    const auto hook = [&](const facsim::Outside& why, const float*, float* event) {
        const Floats edge = {1000, 5, 1000, 5};
        Floats other(2 * size);
        self->sample(edge.data(), 2, edges, other.data());
        for (std::size_t i = 0; i < size; ++i) event[i] += 1;
        std::printf("%s\n", why.sentence().c_str());
    };
    facsim::Sampler sampler(model, options(whole(words[0]), hook));
    self = &sampler;
    const Floats conditions = read(words[1]);
    const std::size_t n = conditions.size() / model.card().conditions.size();
    Floats events(n * size, -99.0f);
    sampler.sample(conditions.data(), n, generator, events.data());
    write(words[2], events);
}

// batch conditions out mode: what is delivered in its order, noise of request i from Philox(3, i)
void queue(const facsim::Model& model, const Words& words) {
    const std::string mode = words[3];
    facsim::Fallback hook;
    if (mode != "refuse" && mode != "throws-refuse")
        hook = [&](const facsim::Outside& why, const float*, float* event) {
            if (mode == "fallback-throws") throw std::runtime_error("no full simulation for " + why.condition.name);
            for (std::size_t i = 0; i < model.card().output.size(); ++i) event[i] -= 1;
        };
    facsim::Queue queue(model, options(whole(words[0]), hook));
    const Floats conditions = read(words[1]);
    const std::size_t k = model.card().conditions.size(), n = conditions.size() / k;
    Floats events;
    std::vector<facsim::Philox> generators;
    for (std::size_t i = 0; i < 2 * n; ++i) generators.emplace_back(3, i);
    facsim::Deliver deliver = [&](const facsim::Result& result) {
        std::printf("%zu%s\n", std::size_t(result.id), result.outside != nullptr ? " outside" : "");
        if (mode.rfind("throws", 0) == 0 && mode != "throws-int" && result.id % 3 == 0) throw std::runtime_error("host is full");
        if (mode == "throws-int" && result.id == 1) throw 7;
        events.insert(events.end(), result.event, result.event + result.size);
        const auto id = std::size_t(result.id);
        if (mode == "again" && id < n)  // a secondary particle of each
            queue.submit(id + n, &conditions[id * k], generators[id + n], deliver);
    };
    const auto told = [&](auto work) {
        try {
            work();
        } catch (const facsim::Error& error) {
            std::printf("error: %s\n", error.what());
            for (const facsim::Failure& one : queue.failures()) std::printf("failed %zu\n", std::size_t(one.id));
        }
    };
    for (std::size_t i = 0; i < n; ++i) {
        told([&] { queue.submit(i, &conditions[i * k], generators[i], deliver); });
        if (mode == "pending") std::printf("pending %zu\n", queue.pending());
    }
    told([&] { queue.flush(); });
    std::printf("pending %zu\n", queue.pending());
    write(words[2], events);
}

// conditions: 1 for each that is inside by the tolerance of the options' default
void inside(const facsim::Model& model, const Words& words) {
    const facsim::Guard guard(model.card(), facsim::SamplerOptions().tolerance);
    const Floats conditions = read(words[0]);
    const std::size_t k = model.card().conditions.size();
    for (std::size_t i = 0; i < conditions.size() / k; ++i) std::printf("%d\n", guard.check(&conditions[i * k], i) ? 0 : 1);
}

// what each use of something says that was moved; what it was moved to works, with requests of before
void moved(const facsim::Model& model, const Words&) {
    const auto told = [](const char* what, auto use) {
        try {
            use();
            std::printf("%s: nothing\n", what);
        } catch (const facsim::Error& error) {
            std::printf("%s: %s\n", what, error.what());
        }
    };
    const Floats conditions = {500, 3};
    Floats events(3);
    std::mt19937_64 generator(1);
    std::size_t delivered = 0;
    const auto deliver = [&](const facsim::Result&) { ++delivered; };

    facsim::Sampler sampler(model);
    facsim::Sampler other(std::move(sampler));
    told("sample", [&] { sampler.sample(conditions.data(), 1, generator, events.data()); });
    told("generate", [&] { sampler.generate(conditions.data(), 0, 1, 0, events.data()); });
    told("run", [&] { sampler.run(conditions.data(), 1, {}, events.data()); });
    told("event_size", [&] { sampler.event_size(); });
    other.sample(conditions.data(), 1, generator, events.data());

    facsim::SamplerOptions two;
    two.batch = 2;
    facsim::Queue queue(model, two);
    queue.submit(0, conditions.data(), generator, deliver);
    facsim::Queue next(std::move(queue));
    told("submit", [&] { queue.submit(1, conditions.data(), generator, deliver); });
    told("flush", [&] { queue.flush(); });
    next.submit(2, conditions.data(), generator, deliver);
    std::printf("delivered %zu\n", delivered);

    facsim::Model copy(model), taken(std::move(copy));
    told("card", [&] { copy.card(); });
    told("Sampler", [&] { facsim::Sampler made(copy); });
    facsim::Runtime runtime(model.runtime()), kept(std::move(runtime));
    told("Model", [&] { facsim::Model made(runtime, "graph", "card"); });
}

// events out n [mask or -] [conditions]
void score(const facsim::Model& model, const Words& words) {
    facsim::Predictor predictor(model);
    const Floats events = read(words[0]);
    const std::size_t n = whole(words[2]);
    const bool masked = words.size() > 3 && words[3] != "-";
    const auto bytes = masked ? facsim::detail::read_file<std::string>(words[3], 1u << 20) : "";
    const std::unique_ptr<bool[]> mask(new bool[bytes.size() + 1]);
    std::copy(bytes.begin(), bytes.end(), mask.get());
    const Floats conditions = words.size() > 4 ? read(words[4]) : Floats{};
    Floats scores(n * model.card().output.size());
    predictor.score(events.data(), n, scores.data(), masked ? mask.get() : nullptr,
                    conditions.empty() ? nullptr : conditions.data());
    write(words[1], scores);
}

template <class Generator>
void filled(const Words& words, Generator generator) {
    Floats numbers(whole(words[2]));
    const bool normal = words[1] == "normal";
    facsim::fill(normal ? facsim::Distribution::normal : facsim::Distribution::uniform, generator, numbers.data(),
                 numbers.size());
    write(words[3], numbers);
}

// engine distribution n out [seed event stream]
void fill(const Words& words) {
    std::mt19937_64 flat(5);
    std::uniform_real_distribution<double> uniform(0, 1);
    if (words[0] == "philox")
        filled(words, facsim::Philox(whole(words[4]), whole(words[5]), std::uint32_t(whole(words[6]))));
    if (words[0] == "mt19937") filled(words, std::mt19937(5));
    if (words[0] == "mt19937_64") filled(words, std::mt19937_64(5));
    if (words[0] == "minstd") filled(words, std::minstd_rand(5));
    if (words[0] == "ranlux") filled(words, std::ranlux48(5));
    if (words[0] == "flat") filled(words, facsim::Flat([&] { return uniform(flat); }));
    if (words[0] == "edges") {
        int calls = 0;
        filled(words, facsim::Flat([&] { return ++calls % 3 == 0 ? 1.0 : calls % 3 == 1 ? 0.0 : std::nan(""); }));
    }
}

void shown(const facsim::json::Value& value) {
    if (const auto* text = std::get_if<std::string>(&value.of)) std::printf("%s", text->c_str());
    if (const auto* number = std::get_if<double>(&value.of)) std::printf("%.17g", *number);
    if (const auto* array = std::get_if<facsim::json::Array>(&value.of))
        for (const auto& one : *array) shown(one), std::printf("|");
    if (const auto* object = std::get_if<facsim::json::Object>(&value.of))
        for (const auto& [key, one] : *object) std::printf("%s:", key.c_str()), shown(one), std::printf(";");
}

void done(const std::string& command, const Words& words) {
    if (command == "fill") return fill(words);
    if (command == "sha256") {
        const auto bytes = facsim::detail::read_file<std::vector<unsigned char>>(words[0], 1u << 30);
        return void(std::printf("%s\n", facsim::detail::sha256(bytes.data(), bytes.size()).c_str()));
    }
    if (command == "json")
        return shown(facsim::json::parse(facsim::detail::read_file<std::string>(words[0], 1u << 30)));
    facsim::ModelOptions opened;
    if (command == "threads") opened.threads = int(whole(words[2]));
    const facsim::Model model(facsim::Runtime(), words[0], words[1], opened);
    const Words rest(words.begin() + 2, words.end());
    if (command == "card") card(model, rest);
    if (command == "run") run(model, rest);
    if (command == "generate") generate(model, rest);
    if (command == "sample") sample(model, rest);
    if (command == "guard") guard(model, rest);
    if (command == "nested") nested(model, rest);
    if (command == "inside") inside(model, rest);
    if (command == "moved") moved(model, rest);
    if (command == "queue") queue(model, rest);
    if (command == "score") score(model, rest);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        done(argv[1], Words(argv + 2, argv + argc));
        return 0;
    } catch (const facsim::Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
