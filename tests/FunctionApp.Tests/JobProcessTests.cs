using System.Diagnostics;
using FunctionsPipeline.FunctionApp.Gpu;

namespace FunctionsPipeline.Tests.FunctionApp;

public sealed class JobProcessTests
{
    [Fact]
    public void A_process_that_ends_while_it_is_noted_is_one_that_no_longer_runs()
    {
        var folder = Directory.CreateTempSubdirectory("job-process-").FullName;
        try
        {
            using var started = Process.Start("sleep", "60");
            using var seenBefore = Process.GetProcessById(started.Id);
            started.Kill();
            started.WaitForExit();
            var files = new JobProcess(folder, "job-1");

            files.Remember(seenBefore);

            Assert.True(files.WasStarted);
            Assert.Null(files.Find());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
