using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.GpuWorker.Serving;
using FunctionsPipeline.Images;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Tests;

public sealed class PredictorTests : IAsyncLifetime
{
    private static readonly string[] Categories = ["Coat", "Coats", "Hats"];

    private readonly string _folder = Directory.CreateTempSubdirectory("predictor-").FullName;

    public async Task InitializeAsync()
    {
        Assert.Equal(0, await CommandLine.RunAsync(["init", "--out", _folder]));
        ServingSettings.Save(_folder, new TrainingSettings { NumCrops = 4, MaxAnswerTokens = 48 },
            Categories.Select(category => new Answer("a", category, 1)));
    }

    public Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    [Fact]
    public void A_batch_of_images_of_several_shapes_is_answered_as_each_image_alone()
    {
        using var predictor = new Predictor(_folder, torch.CPU, torch.float32);
        PreparedImage[] images = [Prepare(predictor, 80, 60), Prepare(predictor, 60, 200), Prepare(predictor, 500, 400)];
        var together = predictor.Answer(images, default);
        Assert.Equal(3, together.Count);
        foreach (var (answer, image) in together.Zip(images))
        {
            var alone = predictor.Answer([image], default)[0];
            Assert.Equal(alone.Text, answer.Text);
            Assert.Equal(alone.Confidence.Answer, answer.Confidence.Answer, 1e-4);
        }
    }

    [Fact]
    public void An_untrained_model_gives_answers_that_parse_with_a_known_category_and_a_confidence_in_every_field()
    {
        using var predictor = new Predictor(_folder, torch.CPU, torch.float32);
        var drawn = predictor.Generation with { Temperature = 2 };
        PreparedImage[] images = [Prepare(predictor, 80, 60), Prepare(predictor, 60, 200)];
        foreach (var answer in Enumerable.Range(0, 20).SelectMany(seed => predictor.Answer(images, drawn with { Seed = seed }, default)))
        {
            Assert.True(answer.Read is not null, answer.Text);
            Assert.Contains(answer.Read.Category, Categories);
            var (all, title, category, price) = answer.Confidence;
            Assert.All([all, title!.Value, category!.Value, price!.Value], value => Assert.InRange(value, 0, 1));
            Assert.Equal(Math.Exp(answer.LogProbability / answer.Generated.Tokens.Count), all, 1e-9);
        }
    }

    [Fact]
    public void Further_fields_have_known_values_and_a_confidence_each()
    {
        FieldDefinition[] fields =
            [new("brand", FieldKind.Category), new("weight", FieldKind.Number, "g"), new("materials", FieldKind.List)];
        FieldValue[] brands = [new("Acme"), new("Umbra")];
        ServingSettings.Save(_folder,
            new TrainingSettings { AnswerTemplate = "{brand}, {weight}, Made of {materials}", NumCrops = 1, MaxAnswerTokens = 64 },
            brands.Select(brand => Answer.Of(new Dictionary<string, FieldValue>
            {
                ["brand"] = brand, ["weight"] = new(5), ["materials"] = new(["cotton", "wool"]),
            })),
            fields);
        using var predictor = new Predictor(_folder, torch.CPU, torch.float32);
        var image = Prepare(predictor, 80, 60);
        foreach (var seed in Enumerable.Range(0, 10))
        {
            var answer = predictor.Answer([image], predictor.Generation with { Temperature = 2, Seed = seed }, default)[0];
            Assert.True(answer.Read is { Title: null, Category: null, Price: null, Fields: not null }, answer.Text);
            Assert.Contains(answer.Read.Fields["brand"], brands);
            Assert.NotNull(answer.Read.Fields["weight"].Number);
            Assert.Subset(new HashSet<string> { "cotton", "wool" }, answer.Read.Fields["materials"].Items!.ToHashSet());
            Assert.Equal(["brand", "materials", "weight"], answer.Confidence.Fields!.Keys.Order());
            Assert.All(answer.Confidence.Fields.Values, confidence => Assert.InRange(confidence, 0, 1));
            Assert.Null(answer.Confidence.Title);
        }
    }

    [Theory]
    [InlineData(torch.ScalarType.BFloat16)]
    [InlineData(torch.ScalarType.Float16)]
    public void Half_precision_answers_too(torch.ScalarType precision)
    {
        using var predictor = new Predictor(_folder, torch.CPU, precision);
        var answers = predictor.Answer([Prepare(predictor, 80, 60), Prepare(predictor, 60, 200)], default);
        Assert.All(answers, answer =>
        {
            Assert.NotNull(answer.Read);
            Assert.InRange(answer.Confidence.Answer, 0, 1);
        });
    }

    [Fact]
    public void A_model_with_free_answers_writes_what_it_finds_most_likely()
    {
        using var free = new Predictor(_folder, torch.CPU, torch.float32, freeAnswers: true);
        var answer = free.Answer([Prepare(free, 80, 60)], default)[0];
        Assert.Null(answer.Read);
        Assert.Equal((null, null, null), (answer.Confidence.Title, answer.Confidence.Category, answer.Confidence.Price));
        // Every token is the most likely one: none has a smaller probability than 1 / V.
        Assert.All(answer.Generated.Tokens, token => Assert.True(token.LogProbability > -Math.Log(2 * 10_000)));
    }

    [Fact]
    public async Task A_streamed_answer_is_the_complete_one_in_pieces()
    {
        using var predictor = new Predictor(_folder, torch.CPU, torch.float32);
        var image = Prepare(predictor, 80, 60);
        var pieces = await predictor.StreamAsync(image, predictor.Generation).ToListAsync();
        var answer = predictor.Answer([image], default)[0];
        Assert.Equal(answer.Text, string.Concat(pieces.Select(piece => piece.Text)));
        Assert.Equal(answer.Generated.Tokens.Count, pieces[^1].Tokens);
    }

    [Fact]
    public void What_is_no_image_is_refused_before_the_model_sees_it()
    {
        using var predictor = new Predictor(_folder, torch.CPU, torch.float32);
        Assert.Throws<UnreadableImageException>(() => predictor.Prepare(new byte[100]));
    }

    private static PreparedImage Prepare(Predictor predictor, int width, int height)
    {
        using var image = new Image<Rgb24>(width, height, new Rgb24((byte)width, 30, (byte)height));
        using var stream = new MemoryStream();
        image.SaveAsPng(stream);
        return predictor.Prepare(stream.ToArray());
    }
}
