namespace FunctionsPipeline.Infra.Tests.Shipping;

/// <summary><c>infra/Dockerfile</c> is what a linter and the rules of this repository ask for.</summary>
public sealed class DockerfileTests
{
    private const string Run = "RUN dotnet publish";

    [Fact]
    public void The_file_keeps_the_rules() => Assert.Empty(DockerfileCheck.Findings(Dockerfile.Read()));

    [Fact]
    public async Task The_linter_finds_nothing() => Assert.Empty(await Linters.DockerfileAsync(Dockerfile.Read().Text));

    [Theory]
    [InlineData("@sha256:222759b391a1aaf241166672c8f99b2d4ada452e7b5319f3c6e8f265a37b5ad4", "", "10.0-noble has no digest")]
    [InlineData("USER $APP_UID", "USER root", "runs as root")]
    [InlineData("USER $APP_UID\n", "", "runs as root")]
    [InlineData("USER $APP_UID", "USER $APP_UID\nHEALTHCHECK CMD true", "HEALTHCHECK")]
    [InlineData(Run, "RUN --mount=type=cache,target=/root/.nuget dotnet publish", "--mount=type=cache")]
    [InlineData("COPY --from=build /publish/", "COPY --link --from=build /publish/", "COPY --link: needs BuildKit")]
    [InlineData("# The GPU worker", "# syntax=docker/dockerfile:1\n# The GPU worker", "syntax directive")]
    [InlineData("COPY . .", "COPY <<EOF /source/a.txt", "<<: needs BuildKit")]
    [InlineData("COPY --from=build /torch/ /\n", "", "torch is not the first")]
    public void A_planted_mistake_is_found(string right, string wrong, string finding)
    {
        var findings = DockerfileCheck.Findings(Dockerfile.Parse(With(right, wrong)));
        Assert.Contains(findings, found => found.Contains(finding, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("COPY . .", "CPY . .")]
    [InlineData("AS build", "AS build\nRUN sudo apt-get install curl")]
    public async Task A_mistake_that_the_linter_knows_is_found(string right, string wrong) =>
        Assert.NotEmpty(await Linters.DockerfileAsync(With(right, wrong)));

    private static string With(string right, string wrong)
    {
        var text = Dockerfile.Read().Text;
        Assert.Contains(right, text, StringComparison.Ordinal);
        return text.Replace(right, wrong, StringComparison.Ordinal);
    }
}
