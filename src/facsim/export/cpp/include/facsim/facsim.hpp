// facsim's exported models in C++17 on ONNX Runtime: include this.
#pragma once

#include "predictor.hpp"
#include "queue.hpp"
#include "sampler.hpp"
