using System.Diagnostics;
using System.Text.Json;

namespace FunctionsPipeline.Benchmarks;

/// <summary>
/// DuckDB as its npm package: a Node process that works when it is told to, so that its rounds and ours take turns. <c>./pipeline bench</c>
/// installs the package.
/// </summary>
internal sealed class DuckDb : IDisposable
{
    private readonly Process _node;

    private DuckDb(Process node) => _node = node;

    /// <summary>Starts the process.</summary>
    /// <exception cref="NotMeasuredException">Node or the package is not here, or does not work.</exception>
    public static DuckDb Start()
    {
        var package = Environment.GetEnvironmentVariable("PIPELINE_DUCKDB");
        if (!Directory.Exists(package))
            throw new NotMeasuredException("the npm package @duckdb/node-api, which ./pipeline bench installs, is not here");
        try
        {
            return new DuckDb(Process.Start(new ProcessStartInfo("node")
            {
                ArgumentList = { Path.Combine(AppContext.BaseDirectory, "duckdb.cjs"), package },
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            })!);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new NotMeasuredException($"the npm package @duckdb/node-api does not start: {e.Message}");
        }
    }

    /// <summary>Runs a statement.</summary>
    /// <returns>Milliseconds that it took, and the values of its first row.</returns>
    public (double Milliseconds, string[] Row) Run(string sql, int threads)
    {
        try
        {
            _node.StandardInput.WriteLine(JsonSerializer.Serialize(new { sql, threads }));
            _node.StandardInput.Flush();
        }
        catch (IOException)
        {
            // It has ended; the output says so too.
        }
        var line = _node.StandardOutput.ReadLine()
            ?? throw new NotMeasuredException("the npm package @duckdb/node-api does not load or fails; standard error says why");
        var answer = JsonSerializer.Deserialize<Answer>(line, JsonSerializerOptions.Web)!;
        return (answer.Milliseconds, answer.Row);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // The script ends with its input.
        _node.StandardInput.Close();
        _node.WaitForExit();
        _node.Dispose();
    }

    private sealed record Answer(double Milliseconds, string[] Row);
}
