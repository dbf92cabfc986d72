#include "bind.hpp"
#include "picochat/factory/doctor.hpp"
#include "picochat/factory/sanity.hpp"
#include "subcommands.hpp"

namespace picochat::cli {

std::vector<Command> sanity_commands() {
  auto& files = base::real_file_system();
  return {bind({"sanity", "preh100"}, "is this host sound? checks that measure, before money is spent", factory::sanity_options(), [&files](const factory::SanityOptions& o, const Invocation&) {
    const auto output = factory::run_sanity(files, o);
    if (output.json.is_null()) return base::ExitCode::kDone;  // a rank that is not rank 0
    base::write_result(o.json ? base::dump(output.json) + "\n" : output.text);
    return output.json.at("status") == "failed" ? base::ExitCode::kBlocked : base::ExitCode::kDone;
  }),
          bind({"doctor"}, "what this host has and lacks, the driver first", factory::doctor_options(), [](const factory::DoctorOptions& o, const Invocation&) {
            const auto output = factory::run_doctor(o);
            base::write_result(o.json ? base::dump(output.json) + "\n" : output.text);
            return output.json.at("status") == "well" ? base::ExitCode::kDone : base::ExitCode::kEnvironment;
          })};
}

}  // namespace picochat::cli
