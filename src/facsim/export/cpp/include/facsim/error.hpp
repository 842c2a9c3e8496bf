// The one exception of the loader.
#pragma once

#include <stdexcept>

namespace facsim {

/// What goes wrong, in one sentence: what was expected, what came, how to mend it.
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace facsim
