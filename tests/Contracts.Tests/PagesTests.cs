using System.Text.RegularExpressions;

namespace FunctionsPipeline.Contracts.Tests;

/// <summary>Files, commands, routes and settings that the pages name are there.</summary>
public sealed partial class PagesTests
{
    /// <summary>All pages but those that tell of the past or are written by a program.</summary>
    public static TheoryData<string> Pages => [.. Repository.Files(".md").Where(page =>
        page != "CHANGELOG.md" && !page.StartsWith("tests/Benchmarks/results", StringComparison.Ordinal))];

    // The blob service is read by the app; the host reads the queue service for itself.
    private static readonly string[] Connection =
        ["PipelineStorage:blobServiceUri", "PipelineStorage:queueServiceUri", "PipelineStorage:credential", "PipelineStorage:clientId"];

    private static readonly IReadOnlyList<(string Method, string Route)> Routes = ReadRoutes();
    private static readonly HashSet<string> Settings = ReadSettings();
    private static readonly string Help = Repository.Read("pipeline").Split("<<'HELP'")[1].Split("\nHELP\n")[0];
    private static readonly Lazy<string> AllCode = new(() =>
        Repository.Code("src") + Repository.Code("tests") + Repository.Read("pipeline") + Repository.Read("src/FunctionApp/host.json")
        + Repository.Read("infra/main.bicepparam"));

    [Theory]
    [MemberData(nameof(Pages))]
    public void Files_that_a_page_names_exist(string page) => Assert.Empty(MissingFiles(page, Repository.Read(page)));

    [Theory]
    [MemberData(nameof(Pages))]
    public void Commands_that_a_page_names_exist(string page) => Assert.Empty(UnknownCommands(Repository.Read(page)));

    [Theory]
    [MemberData(nameof(Pages))]
    public void Routes_that_a_page_names_exist(string page) => Assert.Empty(UnknownRoutes(Repository.Read(page)));

    [Theory]
    [InlineData("[there](architecture.md#the-house) and [here](#a-page)", 0)]
    [InlineData("[gone](gone.md)", 1)]
    [InlineData("[gone](architecture.md#the-flat)", 1)]
    [InlineData("[gone](#another-page)", 1)]
    [InlineData("`NoSuchFile.cs` and `infra/no-such.bicep`", 2)]
    [InlineData("`./pipeline dance`, `./pipeline check everything`, `./pipeline check infra`", 2)]
    [InlineData("`GET /api/nothing` and http://127.0.0.1:7071/api/none", 2)]
    public void A_planted_mistake_is_found(string line, int mistakes)
    {
        var text = $"# A page\n\n{line}\n";
        IEnumerable<string> findings = [.. MissingFiles("docs/page.md", text), .. UnknownCommands(text), .. UnknownRoutes(text)];
        Assert.Equal(mistakes, findings.Count());
    }

    [Fact]
    public void The_readme_names_every_route()
    {
        var named = Request().Matches(Repository.Read("README.md")).ToList();
        Assert.All(Routes, route => Assert.Contains(
            named, match => match.Groups[1].Value == route.Method && Fits(route, match.Groups[2].Value)));
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Settings_that_a_page_names_exist(string page)
    {
        foreach (Match match in Code().Matches(Repository.Read(page)))
        {
            var name = match.Groups[1].Value;
            if (SectionSetting().Match(name) is { Success: true } section)
            {
                var path = Index().Replace(section.Value.Replace("__", ":", StringComparison.Ordinal), "");
                if (path.StartsWith("AzureFunctionsJobHost:", StringComparison.Ordinal)) continue;
                Assert.True(Connection.Contains(path) || Settings.Contains(path), $"{page} names a setting that is not there: {name}");
            }
            else if (EnvironmentVariable().Match(name) is { Success: true } variable && !IsOthers(name))
            {
                Assert.True(
                    AllCode.Value.Contains(variable.Value, StringComparison.Ordinal), $"{page} names a variable that nobody reads: {name}");
            }
        }
    }

    [Fact]
    public void The_infrastructure_page_names_every_setting()
    {
        var page = Repository.Read("infra/README.md");
        Assert.NotEmpty(Settings);
        Assert.All(
            Settings.Select(setting => setting.Replace(":", "__", StringComparison.Ordinal)),
            setting => Assert.Contains($"`{setting}", page, StringComparison.Ordinal));
    }

    // The exporters read OpenTelemetry's own settings; the other is a macro of TorchSharp's.
    private static bool IsOthers(string name) => name.StartsWith("OTEL_", StringComparison.Ordinal) || name == "CATCH_TENSOR";

    private static IEnumerable<string> MissingFiles(string page, string text)
    {
        var sources = Repository.Files(".cs").Select(file => Path.GetFileName(file)).ToHashSet();
        return
        [
            .. SourceFile().Matches(text).Select(match => match.Groups[1].Value).Where(file => !sources.Contains(file)),
            .. Link().Matches(text).Where(link => !IsThere(page, text, link)).Select(link => link.Value),
            .. RepositoryPath().Matches(text).Select(match => match.Groups[1].Value)
                .Where(path => !Path.Exists(Path.Combine(Repository.Root, path))),
        ];
    }

    private static bool IsThere(string page, string text, Match link)
    {
        var (path, anchor) = (link.Groups["path"].Value, link.Groups["anchor"].Value);
        var target = Path.Combine(Repository.Root, Path.GetDirectoryName(page)!, path);
        if (path.Length > 0 && !Path.Exists(target)) return false;
        var headings = Heading().Matches(path.Length > 0 && anchor.Length > 0 ? File.ReadAllText(target) : text);
        return anchor.Length == 0 || headings.Any(heading => Anchor(heading.Groups[1].Value) == anchor);
    }

    // As GitHub makes them of headings.
    private static string Anchor(string heading) =>
        NoAnchor().Replace(heading.Trim().ToLowerInvariant(), "").Replace(' ', '-');

    private static IEnumerable<string> UnknownCommands(string text) => PipelineCommand().Matches(text)
        .Where(match => !IsCommand(match.Groups[1].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries))).Select(match => match.Value);

    private static IEnumerable<string> UnknownRoutes(string text) =>
    [
        .. Request().Matches(text)
            .Where(match => !Routes.Any(route => route.Method == match.Groups[1].Value && Fits(route, match.Groups[2].Value)))
            .Select(match => match.Value),
        .. ApiUrl().Matches(text).Where(match => !Routes.Any(route => Fits(route, match.Groups[1].Value))).Select(match => match.Value),
    ];

    private static bool IsCommand(string[] words)
    {
        if (words is [] or ["--help"]) return true;
        var (command, rest) = (words[0], words[1..]);
        if (!Regex.IsMatch(Help, $"^  {Regex.Escape(command)}( |$)", RegexOptions.Multiline)) return false;
        for (var i = 0; i < rest.Length; i++)
        {
            var isValue = i > 0 && rest[i - 1].StartsWith("--", StringComparison.Ordinal);
            if (!isValue && rest[i] != "--help" && !Takes(command, rest[i])) return false;
        }
        return true;
    }

    // A word that is no option and no name in lower case is a path or a placeholder: DIR, shirt.jpg.
    private static bool Takes(string command, string word) => command switch
    {
        "test" => Directory.Exists(Path.Combine(Repository.Root, "tests", $"{word}.Tests")),
        "setup" or "check" => Help.Contains($"{command} {word}", StringComparison.Ordinal),
        // A part of a benchmark's name is enough.
        "bench" when !word.StartsWith("--", StringComparison.Ordinal) =>
            Regex.IsMatch(Repository.Code("tests/Benchmarks"), $"Name => \"[a-z-]*{Regex.Escape(word)}[a-z-]*\""),
        _ when !Word().IsMatch(word) => true,
        _ => Repository.Code(Program(command)).Contains($"\"{word}\"", StringComparison.Ordinal),
    };

    private static string Program(string command) => command switch
    {
        "worker" => "src/GpuWorker",
        "bench" => "tests/Benchmarks",
        _ => "src/LocalHost",
    };

    private static IReadOnlyList<(string Method, string Route)> ReadRoutes() =>
        [.. Repository.Read("tests/FunctionApp.Tests/functions.snapshot.txt").Split('\n')
            .Select(line => HttpFunction().Match(line)).Where(match => match.Success)
            // A page that names GET means HEAD too.
            .SelectMany(match => match.Groups[1].Value.Split('|').Except(["head"])
                .Select(method => (method.ToUpperInvariant(), match.Groups[2].Value)))];

    // A parameter of the route stands for any one segment, one with an asterisk for all that follow, also none.
    private static bool Fits((string Method, string Route) function, string path)
    {
        var (expected, actual) = (function.Route.Split('/'), path.Split('?')[0].Split('/'));
        var fits = expected[^1].StartsWith("{*", StringComparison.Ordinal)
            ? actual.Length >= expected.Length - 1
            : actual.Length == expected.Length;
        return fits && expected.Zip(actual).All(pair => pair.First.StartsWith('{') || pair.First == pair.Second);
    }

    /// <summary>
    /// Lists the settings of the app, such as <c>Worker:Url</c>, from the members of <c>PipelineOptions</c> and its sections.
    /// </summary>
    private static HashSet<string> ReadSettings()
    {
        var members = new Dictionary<string, List<(string Type, string Name)>>();
        var record = "";
        foreach (Match match in TypeOrProperty().Matches(Repository.Code("src")))
        {
            if (match.Groups["record"] is { Success: true } type)
            {
                record = type.Value;
                members.TryAdd(record, []);
            }
            else
            {
                var name = match.Groups["key"] is { Success: true } key ? key : match.Groups["name"];
                members[record].Add((match.Groups["type"].Value.TrimEnd('?'), name.Value));
            }
        }
        return [.. Below("PipelineOptions")];

        IEnumerable<string> Below(string type) => members[type].SelectMany(member => members.ContainsKey(member.Type)
            ? Below(member.Type).Select(setting => $"{member.Name}:{setting}")
            : [member.Name]);
    }

    [GeneratedRegex(@"`(\w+\.cs)`")]
    private static partial Regex SourceFile();

    // Not those to other sites.
    [GeneratedRegex(@"\]\((?!https?:)(?<path>[^)#]*)(?:#(?<anchor>[^)]*))?\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^#+ +(.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NoAnchor();

    // `src/Images`, `tests/FunctionApp.Tests/functions.snapshot.txt`
    [GeneratedRegex(@"`((?:src|tests|docs|infra)/[\w./-]*[\w-])/?`")]
    private static partial Regex RepositoryPath();

    // What follows "./pipeline" on its line, up to the end of the code or a comment.
    [GeneratedRegex(@"\./pipeline((?: +[^\s`#&|;()""]+)*)")]
    private static partial Regex PipelineCommand();

    [GeneratedRegex(@"^(--)?[a-z][a-z-]*$")]
    private static partial Regex Word();

    [GeneratedRegex(@"\b(GET|POST|PUT|DELETE) /api/([^\s`""]+)")]
    private static partial Regex Request();

    [GeneratedRegex(@"http://127\.0\.0\.1:7071/api/([^\s`""']+)")]
    private static partial Regex ApiUrl();

    [GeneratedRegex(@"^\w+: httpTrigger .*methods=([\w|]+) route=([^;\s]+)")]
    private static partial Regex HttpFunction();

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Code();

    // Section__Name or Section:Name
    [GeneratedRegex(@"^[A-Z]\w*?(?:(?:__|:)[A-Za-z0-9]+)+(?==|$)")]
    private static partial Regex SectionSetting();

    // The place of an item in a list.
    [GeneratedRegex(@":\d+\b")]
    private static partial Regex Index();

    [GeneratedRegex(@"^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?==|$)")]
    private static partial Regex EnvironmentVariable();

    // A type, or a member that configuration sets.
    [GeneratedRegex(
        @"^ *(?:(?:public|internal|private|sealed|static|abstract|partial|readonly|file) )+(?:record |class |struct )+(?<record>\w+)"
            + @"|(?:\[ConfigurationKeyName\(""(?<key>\w+)""\)\]\s+)?public (?:required )?(?<type>[\w.<>?]+) (?<name>\w+) \{ get; init; \}",
        RegexOptions.Multiline)]
    private static partial Regex TypeOrProperty();
}
