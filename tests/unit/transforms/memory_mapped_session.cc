// Opens a memory-mapped graph as a phone did: feeds x with 0, 0.01, 0.02, … and prints the values of out.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tensorflow/core/public/session.h"
#include "tensorflow/core/util/memmapped_file_system.h"

namespace tf = tensorflow;

static void require(const absl::Status& status) {
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    std::exit(1);
  }
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  tf::MemmappedEnv env(tf::Env::Default());
  require(env.InitializeFromFile(argv[1]));
  tf::GraphDef graph;
  require(tf::ReadBinaryProto(&env, tf::MemmappedFileSystem::kMemmappedPackageDefaultGraphDef, &graph));
  tf::SessionOptions options;
  options.env = &env;
  options.config.mutable_graph_options()->mutable_optimizer_options()->set_opt_level(
      tf::OptimizerOptions::L0);
  std::unique_ptr<tf::Session> session(tf::NewSession(options));
  require(session->Create(graph));
  tf::Tensor x(tf::DT_FLOAT, tf::TensorShape({1, std::stol(argv[2])}));
  auto values = x.flat<float>();
  for (int i = 0; i < values.size(); ++i) values(i) = 0.01f * static_cast<float>(i);
  std::vector<tf::Tensor> outputs;
  require(session->Run({{"x:0", x}}, {"out:0"}, {}, &outputs));
  auto out = outputs[0].flat<float>();
  for (int i = 0; i < out.size(); ++i) std::printf("%a\n", static_cast<double>(out(i)));
}
