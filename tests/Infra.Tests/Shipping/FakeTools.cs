using System.Globalization;

namespace FunctionsPipeline.Infra.Tests.Shipping;

/// <summary>Fakes of az and azd, which record how they are called and answer as told.</summary>
internal sealed class FakeTools : IDisposable
{
    private const string Program =
        """
        #!/usr/bin/env bash
        # Finds the first rule whose pattern fits the call, and gives its next answer; the last one again and again.
        fake=$(dirname "$0")
        call="$(basename "$0") $*"
        printf '%s\n' "$call" >>"$fake/calls"
        for rule in $(ls "$fake/rules" 2>/dev/null | sort -n); do
            rule=$fake/rules/$rule
            [[ $call == *"$(cat "$rule/pattern")"* ]] || continue
            n=$(($(cat "$rule/count" 2>/dev/null || echo 0) + 1))
            [ -e "$rule/$n.exit" ] || n=$((n - 1))
            echo "$n" >"$rule/count"
            cat "$rule/$n.out"
            cat "$rule/$n.err" >&2
            exit "$(cat "$rule/$n.exit")"
        done
        echo "nobody told what to answer to $call" >&2
        exit 3
        """;

    private readonly TemporaryFolder _folder = new();
    private int _rules;

    public FakeTools(params string[] programs)
    {
        foreach (var program in programs)
        {
            var file = _folder.Write(program, Program);
            if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(file, (UnixFileMode)0b111_101_101);
        }
    }

    /// <summary>Folder for the PATH.</summary>
    public string Folder => _folder.Path;

    /// <summary>Command lines in the order of the calls.</summary>
    public IReadOnlyList<string> Calls =>
        File.Exists(Path.Combine(Folder, "calls")) ? File.ReadAllLines(Path.Combine(Folder, "calls")) : [];

    /// <summary>Answers calls that contain a text, one after another, the last again and again.</summary>
    public FakeTools On(string pattern, params Command[] answers)
    {
        var rule = $"rules/{(++_rules).ToString(CultureInfo.InvariantCulture)}";
        _folder.Write($"{rule}/pattern", pattern);
        for (var i = 0; i < answers.Length; i++)
        {
            _folder.Write($"{rule}/{i + 1}.out", answers[i].Output);
            _folder.Write($"{rule}/{i + 1}.err", answers[i].Error);
            _folder.Write($"{rule}/{i + 1}.exit", answers[i].ExitCode.ToString(CultureInfo.InvariantCulture));
        }
        return this;
    }

    public void Dispose() => _folder.Dispose();
}
