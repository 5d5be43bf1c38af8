using FunctionsPipeline.GpuWorker;

return await CommandLine.RunAsync(args);
