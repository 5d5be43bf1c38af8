using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

/// <summary>Frame of every hook: its environment, the programs az and azd, and errors a person can act on.</summary>
internal static class Hook
{
    /// <summary>Folder with azure.yaml.</summary>
    public static string Root { get; } = FindRoot();

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(
        double.Parse(Setting("HOOK_PAUSE_SECONDS") ?? "20", CultureInfo.InvariantCulture));

    /// <summary>Runs a hook and turns a failure into one line and exit code 1, at which azd stops.</summary>
    public static async Task<int> RunAsync(Func<Task> hook)
    {
        try
        {
            await hook();
            return 0;
        }
        catch (HookException e)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 1;
        }
    }

    /// <summary>Value of the azd environment, or null.</summary>
    public static string? Setting(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    /// <summary>Value of the azd environment that provisioning has set.</summary>
    public static string Required(string name) =>
        Setting(name) ?? throw new HookException($"{name} is not set: azd provision sets it, and azd gives it to its hooks.");

    /// <summary>Prints a line of the hook's own.</summary>
    public static void Say(string line) => Console.WriteLine(line);

    /// <summary>Runs az and returns what it prints.</summary>
    public static Task<string> AzAsync(params string[] arguments) => RunAsync("az", arguments);

    /// <summary>Runs a program in the project's folder and returns what it prints.</summary>
    public static async Task<string> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Root,
        };
        try
        {
            using var process = Process.Start(start)!;
            var error = process.StandardError.ReadToEndAsync();
            var output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            return process.ExitCode == 0 ? output.Trim() : throw new HookException($"{program} {arguments[0]}: {(await error).Trim()}");
        }
        catch (Win32Exception)
        {
            throw new HookException($"{program} is not installed, or not on the PATH: hooks need az (https://aka.ms/azure-cli) and azd.");
        }
    }

    /// <summary>Tries again until it succeeds; a missing right is not waited for.</summary>
    public static async Task<T> RetryAsync<T>(string what, int attempts, Func<Task<T>> action)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await action();
            }
            catch (HookException e) when (attempt < attempts && !e.Message.Contains("AuthorizationFailed", StringComparison.Ordinal))
            {
                Say($"{what}: not yet ({e.Message.Split('\n')[0]}); attempt {attempt + 1} of {attempts} in {Pause.TotalSeconds:0} seconds");
                await Task.Delay(Pause);
            }
        }
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(Environment.CurrentDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "azure.yaml"))) folder = folder.Parent;
        return folder?.FullName ?? Environment.CurrentDirectory;
    }
}

/// <summary>A hook failed for a reason that a person can act on; only the message is printed.</summary>
internal sealed class HookException(string message) : Exception(message);
