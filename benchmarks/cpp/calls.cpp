// Times for benchmarks/cpp.py: a bare call of ONNX Runtime, the loader's, and events of independent threads.
//
//   calls overhead MODEL CARD CALLS    processor microseconds of each kind of call, a line an event
//   calls threads MODEL CARD EVENTS T  one line: wall seconds, processor seconds, times that a thread waited
#include <sys/resource.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <thread>

#include <facsim/facsim.hpp>

namespace {

using Clock = std::chrono::steady_clock;

/// Processor time of this thread, in microseconds.
double processor() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return 1e6 * double(now.tv_sec) + 1e-3 * double(now.tv_nsec);
}

double processor_seconds() { return double(std::clock()) / CLOCKS_PER_SEC; }

/// Times that this process gave its processor away of itself, as for a lock that another thread holds.
long waits() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw;
}

/// Conditions of `n` events, spread over the training range.
std::vector<float> spread(const facsim::Card& card, std::size_t n) {
    std::vector<float> found;
    for (std::size_t i = 0; i < n; ++i)
        for (const facsim::Condition& c : card.conditions)
            found.push_back(static_cast<float>(c.low + (c.high - c.low) * (double(i) + 0.5) / double(n)));
    return found;
}

void overhead(const facsim::Model& model, int calls) {
    constexpr std::size_t n = 8;  // few enough to stay in the cache, as the noise of a real job does
    const facsim::Card& card = model.card();
    const facsim::ort::OrtApi& api = model.runtime().api();
    const std::vector<float> conditions = spread(card, n);
    const std::size_t k = card.conditions.size();
    std::vector<std::vector<float>> noise;
    for (std::size_t a = 0; a < card.noise.size(); ++a) {
        noise.emplace_back(n * card.noise[a].size);
        facsim::Philox philox(1, 0, static_cast<std::uint32_t>(a));
        facsim::fill(card.noise[a].distribution, philox, noise[a].data(), noise[a].size());
    }
    facsim::Sampler sampler(model), moving(model), generating(model);
    std::vector<float> one(k), out(sampler.event_size());
    std::vector<std::vector<float>> row(noise.size()), drawn;
    std::vector<const char*> names{"condition"};
    std::vector<facsim::ort::OrtValue*> values;
    const auto value = [&](std::vector<float>& numbers, std::vector<std::int64_t> shape) {
        shape.insert(shape.begin(), 1);
        facsim::ort::OrtValue* made = nullptr;
        const std::size_t bytes = numbers.size() * sizeof(float);
        constexpr auto type = facsim::ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
        model.runtime().check(api.CreateTensorWithDataAsOrtValue(model.runtime().memory(), numbers.data(), bytes,
                                                                 shape.data(), shape.size(), type, &made),
                              "no array");
        values.push_back(made);
    };
    value(one, {static_cast<std::int64_t>(k)});
    std::vector<const float*> fixed;
    for (std::size_t a = 0; a < noise.size(); ++a) {
        row[a].resize(card.noise[a].size);
        value(row[a], card.noise[a].shape);
        names.push_back(card.noise[a].name.c_str());
        fixed.push_back(row[a].data());
        drawn.push_back(row[a]);
    }
    value(out, card.output.shape);
    const char* output = card.output.name.c_str();
    std::size_t event = 0;
    std::vector<const float*> moved(noise.size());
    const std::array<std::function<void()>, 5> kinds = {
        [&] {
            model.runtime().check(api.Run(model.session().get(), nullptr, names.data(), values.data(), names.size(),
                                          &output, 1, &values.back()),
                                  "no call");
        },
        [&] { sampler.run(one.data(), 1, fixed, out.data()); },
        [&] { moving.run(&conditions[event * k], 1, moved, out.data()); },
        [&] { generating.generate(&conditions[event * k], 1, 1, event, out.data()); },
        [&] {
            for (std::size_t a = 0; a < drawn.size(); ++a) {
                facsim::Philox philox(1, event, static_cast<std::uint32_t>(a));
                facsim::fill(card.noise[a].distribution, philox, drawn[a].data(), drawn[a].size());
            }
        },
    };
    for (int call = -20; call < calls; ++call) {
        event = static_cast<std::size_t>(call + 20) % n;
        std::copy_n(&conditions[event * k], k, one.begin());
        for (std::size_t a = 0; a < noise.size(); ++a) {
            moved[a] = &noise[a][event * row[a].size()];
            std::copy_n(moved[a], row[a].size(), row[a].begin());
        }
        std::array<double, kinds.size()> took{};
        for (std::size_t turn = 0; turn < kinds.size(); ++turn) {  // none is always the first, with a cold cache
            const std::size_t kind = (turn + static_cast<std::size_t>(call + 20)) % kinds.size();
            const double start = processor();
            kinds[kind]();
            took[kind] = processor() - start;
        }
        if (call < 0) continue;
        for (const double time : took) std::printf("%.3f ", time);
        std::printf("\n");
    }
    for (facsim::ort::OrtValue* made : values) api.ReleaseValue(made);
}

void threads(const facsim::Model& model, std::size_t events, std::size_t many) {
    const std::vector<float> conditions = spread(model.card(), events);
    const std::size_t k = model.card().conditions.size();
    const auto work = [&](std::size_t first, std::size_t last) {
        facsim::Sampler sampler(model);
        std::vector<float> out(sampler.event_size());
        for (std::size_t event = first; event < last; ++event)
            sampler.generate(&conditions[event * k], 1, 1, event, out.data());
    };
    work(0, std::min<std::size_t>(20, events));
    const auto start = Clock::now();
    const double before = processor_seconds();
    const long waited = waits();
    std::vector<std::thread> pool;
    for (std::size_t t = 0; t < many; ++t) pool.emplace_back(work, t * events / many, (t + 1) * events / many);
    for (std::thread& thread : pool) thread.join();
    const double wall = std::chrono::duration<double>(Clock::now() - start).count();
    std::printf("%.6f %.6f %ld\n", wall, processor_seconds() - before, waits() - waited);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string what = argc > 4 ? argv[1] : "";
    try {
        const facsim::Model model(facsim::Runtime(), argv[2], argv[3]);
        if (what == "overhead") overhead(model, std::atoi(argv[4]));
        if (what == "threads") threads(model, std::size_t(std::atoi(argv[4])), std::size_t(std::atoi(argv[5])));
        return 0;
    } catch (const facsim::Error& error) {
        std::fprintf(stderr, "calls: %s\n", error.what());
        return 1;
    }
}
