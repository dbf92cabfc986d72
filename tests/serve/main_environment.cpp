#include "support/deterministic_environment.hpp"
