namespace FunctionsPipeline.LocalHost.Chaos;

/// <summary>Uploads, deletions and faults of one chaos run, all drawn from one seed.</summary>
/// <param name="Clients">Steps of each client; no two clients share a name.</param>
/// <param name="Faults">Faults in the order of their times.</param>
internal sealed record ChaosPlan(IReadOnlyList<IReadOnlyList<ClientStep>> Clients, IReadOnlyList<PlannedFault> Faults)
{
    private const int ClientCount = 4;
    private const double BrokenShare = 0.1;
    private const double OverwriteShare = 0.15;
    private const double DeletionShare = 0.05;

    // Names that a URL or a listing must escape.
    private static readonly string[] Folders = ["shoes", "new arrivals", "größe 38", "50% off", "a+b/c#d"];

    /// <summary>Number of uploads, overwriting ones included.</summary>
    public int Uploads => Clients.Sum(steps => steps.Count(step => step.Upload is not null));

    /// <summary>Number of names that are uploaded at least once and are not deleted at the end.</summary>
    public int Names => Clients.Sum(steps => steps.GroupBy(step => step.Name).Count(name => name.Last().Upload is not null));

    /// <param name="uploads">Number of uploads.</param>
    /// <param name="pictures">Number of pictures to choose from.</param>
    /// <param name="faults">Number of each fault.</param>
    public static ChaosPlan Draw(int seed, int uploads, int pictures, IReadOnlyDictionary<Fault, int> faults)
    {
        var random = new Random(seed);
        List<ClientStep>[] clients = [.. Enumerable.Range(0, ClientCount).Select(_ => new List<ClientStep>())];
        for (var i = 0; i < uploads; i++)
        {
            var client = i % ClientCount;
            var steps = clients[client];
            var name = steps.Count > 0 && random.NextDouble() < OverwriteShare
                ? steps[random.Next(steps.Count)].Name
                : $"{Folders[random.Next(Folders.Length)]}/{client}-{i:D5}.jpg";
            var kind = random.NextDouble() < BrokenShare
                ? (UploadKind)random.Next(1, Enum.GetValues<UploadKind>().Length)
                : UploadKind.Picture;
            steps.Add(new ClientStep(name, new Upload(kind, random.Next(pictures))));
            if (random.NextDouble() < DeletionShare) steps.Add(new ClientStep(steps[random.Next(steps.Count)].Name, null));
        }

        Fault[] order = [.. faults.SelectMany(fault => Enumerable.Repeat(fault.Key, fault.Value))];
        random.Shuffle(order);
        // The last ones leave a tenth of the images, so that something is in progress when they strike.
        var times = order.Select((_, i) => 0.9 * (i + random.NextDouble()) / order.Length);
        return new ChaosPlan(clients, [.. order.Zip(times, (fault, time) => new PlannedFault(time, fault))]);
    }
}

/// <summary>Step of a client.</summary>
/// <param name="Name">Name of the image.</param>
/// <param name="Upload">Content to upload; null to delete the image.</param>
internal sealed record ClientStep(string Name, Upload? Upload);

/// <summary>Content of an upload.</summary>
/// <param name="Picture">Index of the picture that the content is made of.</param>
internal sealed record Upload(UploadKind Kind, int Picture);

/// <summary>Kinds of content.</summary>
internal enum UploadKind
{
    Picture,
    Text,
    Empty,
    Truncated,
}

/// <summary>Fault at a point of the progress.</summary>
/// <param name="After">Share of the images that have documents when the fault strikes.</param>
internal sealed record PlannedFault(double After, Fault Fault);

/// <summary>Kinds of faults.</summary>
internal enum Fault
{
    /// <summary>Another model begins to serve.</summary>
    SwapModel,

    KillHost,
    KillFunctionsWorker,
    KillGpuWorker,

    /// <summary>Another model begins to serve, and the GPU worker is killed while it loads that model.</summary>
    KillGpuWorkerInSwap,

    KillStorage,
}
