namespace FunctionsPipeline.Contracts;

/// <summary>What a user posts to <c>/api/runs</c>: which dataset to learn from, which model to start from, how to train.</summary>
public sealed record RunRequest
{
    /// <summary>The run's id and its orchestration instance id: 1 to 40 lower-case letters, digits and dashes. Made up when left out.</summary>
    public string? Run { get; init; }

    /// <summary>Where the images and their labels come from.</summary>
    public DatasetRequest Dataset { get; init; } = new();

    /// <summary>The checkpoint that the fine-tuning starts from.</summary>
    public BaseModelRequest BaseModel { get; init; } = new();

    /// <summary>How the fine-tuning is done.</summary>
    public TrainingSettings Training { get; init; } = new();

    /// <summary>Whether the result may become the serving model (it does when its validation loss is no worse than the serving model's).</summary>
    public bool Publish { get; init; } = true;
}

/// <summary>A dataset on the Hugging Face Hub and the part of it to use.</summary>
public sealed record DatasetRequest
{
    /// <summary>Repository id, <c>owner/name</c>.</summary>
    public string Repo { get; init; } = "";

    /// <summary>Branch, tag or commit; pinned to a commit when the run starts.</summary>
    public string Revision { get; init; } = "main";

    /// <summary>Dataset configuration; the first one when left out.</summary>
    public string? Config { get; init; }

    /// <summary>Which columns carry what; guessed from the dataset's schema when left out.</summary>
    public ColumnMapping? Columns { get; init; }

    /// <summary>At most this many rows in all, taken evenly over the dataset's splits; all rows when left out.</summary>
    public int? MaxRows { get; init; }

    /// <summary>The share of products that go to validation when the dataset has no validation split of its own; a hash of the product decides, so that it never moves.</summary>
    public double ValidationFraction { get; init; } = 0.1;

    /// <summary>The share of products that are tested on once, at the end, when the dataset has no test split of its own; may be 0.</summary>
    public double TestFraction { get; init; } = 0.1;
}

/// <summary>Which dataset column carries what. Only the image is required.</summary>
public sealed record ColumnMapping
{
    /// <summary>Column with the image: an URL (string), an embedded image (binary, or <c>struct&lt;bytes, path&gt;</c>), or a list of them, of which the first counts.</summary>
    public string Image { get; init; } = "image";

    /// <summary>Column with the product's title: a string; numbers and dates are written out.</summary>
    public string? Title { get; init; }

    /// <summary>Column with the category: a string, a boolean, or an integer, by its class's name when it is a ClassLabel.</summary>
    public string? Category { get; init; }

    /// <summary>Column with the full price: a number, or a string that holds one, such as <c>$1,290.00</c>.</summary>
    public string? Price { get; init; }

    /// <summary>Column that tells products apart (string or integer), so that all rows of a product are in the same split; the image itself does when left out.</summary>
    public string? Product { get; init; }
}

/// <summary>A base checkpoint on the Hugging Face Hub.</summary>
public sealed record BaseModelRequest
{
    /// <summary>Repository id, <c>owner/name</c>.</summary>
    public string Repo { get; init; } = "microsoft/Phi-3-vision-128k-instruct";

    /// <summary>Branch, tag or commit; pinned to a commit when the run starts.</summary>
    public string Revision { get; init; } = "main";
}
