// A sampling job: events of an exported surrogate on several threads, their mean response, and events per second.
//
//   sampling_job model.onnx card.json --events 1000 --energy 10000 --threads 2 --seed 1
//
// --energy is the first condition, in the card's unit; --set NAME=VALUE sets any other. What is not set lies in the
// middle of its training range. The same seed gives the same events with any number of threads.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <facsim/facsim.hpp>

namespace {

struct Job {
    std::string graph, card, out, runtime;
    std::map<std::string, float> values;
    std::size_t events = 1000, threads = 1, batch = 16;
    std::uint64_t seed = 1;
};

std::uint64_t whole(const std::string& name, const std::string& text, std::uint64_t least) {
    const bool digits = !text.empty() && text.size() < 19 && text.find_first_not_of("0123456789") == std::string::npos;
    const std::uint64_t value = digits ? std::stoull(text) : 0;
    if (!digits || value < least)
        throw facsim::Error(name + " needs a whole number from " + std::to_string(least) + ".");
    return value;
}

float number(const std::string& name, const std::string& text) {
    std::size_t used = 0;
    float value = 0;
    try {
        value = std::stof(text, &used);
    } catch (const std::exception&) {
        used = 0;
    }
    if (used == 0 || used != text.size()) throw facsim::Error(name + " needs a number, not '" + text + "'.");
    return value;
}

Job parsed(int argc, char** argv) {
    Job job;
    std::vector<std::string> files;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name.rfind("--", 0) != 0) {
            files.push_back(name);
            continue;
        }
        if (name == "--help") {
            files.clear();
            break;  // to the usage
        }
        if (++i == argc) throw facsim::Error(name + " needs a value.");
        const std::string text = argv[i];
        const std::size_t equals = text.find('=');
        if (name == "--events") job.events = whole(name, text, 1);
        else if (name == "--threads") job.threads = whole(name, text, 1);
        else if (name == "--batch") job.batch = whole(name, text, 1);
        else if (name == "--seed") job.seed = whole(name, text, 0);
        else if (name == "--out") job.out = text;
        else if (name == "--runtime") job.runtime = text;
        else if (name == "--energy") job.values[""] = number(name, text);
        else if (name == "--set" && equals != std::string::npos)
            job.values[text.substr(0, equals)] = number(name, text.substr(equals + 1));
        else throw facsim::Error("unknown option " + name + " " + text + ".");
    }
    if (files.size() != 2)
        throw facsim::Error("usage: sampling_job MODEL.onnx CARD.json [--events N] [--energy E] [--set NAME=VALUE] "
                            "[--threads T] [--batch B] [--seed S] [--runtime LIBRARY] [--out FILE]");
    job.batch = std::min(job.batch, job.events);
    job.graph = files[0];
    job.card = files[1];
    return job;
}

std::vector<float> conditions_of(const facsim::Card& card, std::map<std::string, float> values) {
    std::vector<float> conditions;
    for (const facsim::Condition& c : card.conditions) {
        const auto found = values.find(values.count(c.name) == 0 && conditions.empty() ? "" : c.name);
        conditions.push_back(found == values.end() ? static_cast<float>(0.5 * (c.low + c.high)) : found->second);
        if (found != values.end()) values.erase(found);
        std::printf("%s = %g %s\n", c.name.c_str(), static_cast<double>(conditions.back()), c.unit.c_str());
    }
    if (!values.empty()) throw facsim::Error("the model has no condition '" + values.begin()->first + "'.");
    return conditions;
}

/// Sums over each event's rows of every column: (events, columns).
struct Sums {
    std::size_t columns;
    std::vector<double> of;

    void add(std::size_t event, const float* numbers, std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) of[event * columns + i % columns] += static_cast<double>(numbers[i]);
    }
    void print(const std::vector<facsim::Column>& names) const {
        const std::size_t n = of.size() / columns;
        for (std::size_t column = 0; column < columns; ++column) {
            double mean = 0, square = 0;
            for (std::size_t event = 0; event < n; ++event) mean += of[event * columns + column] / double(n);
            for (std::size_t event = 0; event < n; ++event) square += std::pow(of[event * columns + column] - mean, 2);
            const double width = n > 1 ? std::sqrt(square / double(n - 1)) : 0;
            std::printf("sum of %s: mean %.6g +- %.2g, width %.4g %s\n", names[column].name.c_str(), mean,
                        width / std::sqrt(double(n)), width, names[column].unit.c_str());
        }
    }
};

void run(const Job& job) {
    const facsim::Model model(facsim::Runtime(job.runtime), job.graph, job.card);  // one for the process
    const facsim::Card& card = model.card();
    const std::vector<float> one = conditions_of(card, job.values);
    const std::size_t size = card.output.size();
    const std::size_t columns = card.output.columns.size();
    if (job.events > (std::size_t{1} << 40) / (size + columns))
        throw facsim::Error("--events " + std::to_string(job.events) + " are too many to keep: run several jobs.");
    Sums sums{columns, std::vector<double>(job.events * columns)};
    std::vector<float> kept(job.out.empty() ? 0 : job.events * size);
    std::atomic<std::size_t> next{0};
    std::exception_ptr failed;
    std::mutex failing;

    const auto work = [&] {
        try {
            facsim::SamplerOptions options;
            options.batch = job.batch;
            facsim::Sampler sampler(model, options);  // one for each thread
            std::vector<float> conditions, events(job.batch * size);
            for (std::size_t i = 0; i < job.batch; ++i) conditions.insert(conditions.end(), one.begin(), one.end());
            for (std::size_t first; (first = next.fetch_add(job.batch)) < job.events;) {
                const std::size_t n = std::min(job.batch, job.events - first);
                sampler.generate(conditions.data(), n, job.seed, first, events.data());
                for (std::size_t i = 0; i < n; ++i) sums.add(first + i, events.data() + i * size, size);
                if (!kept.empty()) std::copy_n(events.data(), n * size, kept.data() + first * size);
            }
        } catch (...) {
            const std::lock_guard<std::mutex> lock(failing);
            failed = std::current_exception();
            next = job.events;
        }
    };
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    try {
        for (std::size_t i = 1; i < job.threads; ++i) threads.emplace_back(work);
    } catch (const std::exception&) {
        next = job.events;
        const std::string most = std::to_string(threads.size() + 1);
        for (std::thread& thread : threads) thread.join();
        throw facsim::Error("the system starts no more than " + most + " threads: ask for fewer --threads.");
    }
    work();
    for (std::thread& thread : threads) thread.join();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (failed) std::rethrow_exception(failed);

    sums.print(card.output.columns);
    if (card.conditions.size() > 0 && card.representation == "grid" && card.conditions[0].unit == card.unit()) {
        double total = 0;
        for (std::size_t event = 0; event < job.events; ++event) total += sums.of[event * sums.columns];
        std::printf("mean response: %.6g\n", total / double(job.events) / double(one[0]));
    }
    std::printf("%zu events in %.3g s: %.4g events/s (%zu threads, batches of %zu, ONNX Runtime %s)\n", job.events,
                seconds, double(job.events) / seconds, job.threads, job.batch, model.runtime().version().c_str());
    if (job.out.empty()) return;
    std::ofstream file(job.out, std::ios::binary);
    file.write(reinterpret_cast<const char*>(kept.data()), static_cast<std::streamsize>(kept.size() * sizeof(float)));
    if (!file.flush()) throw facsim::Error("cannot write '" + job.out + "'.");
    std::printf("events: %s, float32 (%zu, %zu)\n", job.out.c_str(), job.events, size);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(parsed(argc, argv));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "sampling_job: %s\n", error.what());
        return 1;
    }
}
