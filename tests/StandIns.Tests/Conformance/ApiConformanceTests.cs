using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;

namespace FunctionsPipeline.Tests.StandIns.Conformance;

public sealed partial class ApiConformanceTests
{
    [TestDataFact("api")]
    public void Every_member_of_a_stand_in_is_a_member_of_its_package()
    {
        var lists = ApiList.ReadAll(TestData.Path("api"));
        var report = new StringBuilder();
        var members = 0;
        foreach (var assembly in StandInAssemblies())
        {
            var list = lists.GetValueOrDefault(assembly.GetName().Name!);
            foreach (var member in PublicSurface.Of(assembly).Order(StringComparer.Ordinal))
            {
                members++;
                if (list?.Has(member) == true) continue;
                report.AppendLine(member);
                foreach (var like in list?.Like(member) ?? []) report.Append("    the package has ").AppendLine(like);
            }
        }
        Assert.True(members > 500, $"only {members} members were found to compare");
        Assert.True(report.Length == 0, $"members that the packages do not have:\n{report}");
    }

    [Fact]
    public void A_member_that_the_package_lacks_is_found()
    {
        var path = Path.GetTempFileName() + ".api.txt";
        File.WriteAllText(path, "# Sample 1.0\nP:Ns.Sample.Value -> System.Int32 { get; }\nM:Ns.Sample.Go(System.Int32 count?) -> System.Void\n");
        try
        {
            var list = ApiList.ReadAll(Path.GetDirectoryName(path)!)[Path.GetFileName(path)[..^".api.txt".Length]];
            Assert.True(list.Has("P:Ns.Sample.Value -> System.Int32 { get; }"));
            Assert.False(list.Has("P:Ns.Sample.Value -> System.Int32 { get; set; }"));
            Assert.True(list.Has("M:Ns.Sample.Go(System.Int32 count?) -> System.Void"));
            Assert.False(list.Has("M:Ns.Sample.Go(System.Int32 count) -> System.Void"));
            Assert.False(list.Has("M:Ns.Sample.Go(System.Int64 count?) -> System.Void"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Members_are_spelled_like_the_lists_spell_them()
    {
        string[] expected =
        [
            "E:FunctionsPipeline.Tests.StandIns.Conformance.ApiSpellingSample`1<`0>.Changed -> System.EventHandler",
            "F:FunctionsPipeline.Tests.StandIns.Conformance.ApiSpellingSample`1<`0>.Limit -> const System.Int32",
            "M:FunctionsPipeline.Tests.StandIns.Conformance.ApiSpellingSample`1<`0>.#ctor(System.String name)",
            "M:FunctionsPipeline.Tests.StandIns.Conformance.ApiSpellingSample`1<`0>.Find``1(System.Collections.Generic.List`1<`0> items, out ``0 found, System.Nullable`1<System.Int32> at?) -> virtual System.Boolean",
            "M:FunctionsPipeline.Tests.StandIns.Conformance.ApiSpellingSample`1<`0>.op_Implicit(System.Byte[] data) -> static FunctionsPipeline.Tests.StandIns.Conformance.ApiSpellingSample`1<`0>",
            "P:FunctionsPipeline.Tests.StandIns.Conformance.ApiSpellingSample`1<`0>.Item[System.Int32] -> `0 { get; }",
            "P:FunctionsPipeline.Tests.StandIns.Conformance.ApiSpellingSample`1<`0>.Name -> System.String { get; }",
            "T:FunctionsPipeline.Tests.StandIns.Conformance.ApiSpellingSample`1<`0> class : System.Object",
        ];
        var actual = PublicSurface.Of(typeof(ApiSpellingSample<>).Assembly).Where(line => line.Contains("ApiSpellingSample", StringComparison.Ordinal));
        Assert.Equal(expected, actual.Order(StringComparer.Ordinal));
    }

    // The assemblies of src/StandIns that are in this test's output folder; a published one of the same name does not say that it is one.
    private static IEnumerable<Assembly> StandInAssemblies()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "FunctionsPipeline.sln"))) root = root.Parent!;
        foreach (var project in Directory.GetFiles(Path.Combine(root.FullName, "src", "StandIns"), "*.csproj", SearchOption.AllDirectories))
        {
            var name = AssemblyName().Match(File.ReadAllText(project)) is { Success: true } match
                ? match.Groups[1].Value : Path.GetFileNameWithoutExtension(project);
            var path = Path.Combine(AppContext.BaseDirectory, name + ".dll");
            if (File.Exists(path) && Assembly.LoadFrom(path) is var assembly && IsStandIn(assembly)) yield return assembly;
        }
    }

    private static bool IsStandIn(Assembly assembly) =>
        assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Any(metadata => metadata.Key == "StandIn");

    [GeneratedRegex("<AssemblyName>(.+?)</AssemblyName>")]
    private static partial Regex AssemblyName();
}

/// <summary>A bit of everything that a list spells.</summary>
public class ApiSpellingSample<T>(string name)
{
    public const int Limit = 1;

    public event EventHandler? Changed;

    public string Name { get; private set; } = name;

    public T this[int index] => throw new ArgumentOutOfRangeException(nameof(index));

    public static implicit operator ApiSpellingSample<T>(byte[] data) => new($"{data.Length}");

    public override string ToString() => Name;

    public virtual bool Find<TItem>(List<T> items, out TItem? found, int? at = null)
    {
        Changed?.Invoke(this, EventArgs.Empty);
        found = default;
        return items.Count > at;
    }
}
