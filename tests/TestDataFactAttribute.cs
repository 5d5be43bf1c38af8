namespace FunctionsPipeline.Tests;

/// <summary>A test that needs files below <see cref="TestData.Root"/> and says so when they are not there.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class TestDataFactAttribute : FactAttribute
{
    public TestDataFactAttribute(string relative)
    {
        if (TestData.Root is null || !System.IO.Path.Exists(TestData.Path(relative)))
            Skip = $"skipped: ../shared/{relative} not here";
    }
}
