using System.Globalization;
using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.LocalHost.Tests;

public sealed class FolderLockTests
{
    [Fact]
    public void A_folder_that_is_held_is_refused_with_its_holder_and_is_free_afterwards()
    {
        var root = Directory.CreateTempSubdirectory("lock-");
        try
        {
            var folder = Path.Combine(root.FullName, "demo");
            using (FolderLock.Acquire(folder))
            {
                var refusal = Assert.Throws<InvalidOperationException>(() => FolderLock.Acquire(folder));
                Assert.Contains(folder, refusal.Message, StringComparison.Ordinal);
                Assert.Contains($"process {Environment.ProcessId} (", refusal.Message, StringComparison.Ordinal);
                var today = DateTime.Now.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
                Assert.Contains($"since {today}", refusal.Message, StringComparison.Ordinal);
            }
            FolderLock.Acquire(folder).Dispose();
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }
}
