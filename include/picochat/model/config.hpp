// The shape of a model is decided in the gate room, which needs no LibTorch; here it is just Config.
#pragma once

#include "picochat/gate/model_config.hpp"

namespace picochat::model {

using Config = gate::ModelConfig;
using gate::Activation;
using gate::NormType;
using gate::PositionEncoding;

}  // namespace picochat::model
