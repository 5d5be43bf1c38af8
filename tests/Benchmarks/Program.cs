using FunctionsPipeline.Benchmarks;

return BenchmarkCommand.Run(args);
