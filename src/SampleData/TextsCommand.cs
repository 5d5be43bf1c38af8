using System.CommandLine;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.SampleData;

/// <summary>The command <c>texts</c>: prints the question and the expected answer for each row of the split <c>train</c>.</summary>
internal static class TextsCommand
{
    public static Command Create()
    {
        var question = new Option<string>("--question")
        {
            Description = "The question.",
            DefaultValueFactory = _ => new TrainingSettings().Question,
        };
        var command = new Command("texts", """
            Prints the texts of the catalog's train split, for a tokenizer to learn from: for each row a line with the question and a
            line with the answer.

            Example: texts --rows 600 > texts.txt
            """)
        { CatalogOptions.Rows, CatalogOptions.Images, CatalogOptions.Seed, CatalogOptions.HoldBack, question };
        command.SetAction(result =>
        {
            try
            {
                var (rows, images) = (result.GetValue(CatalogOptions.Rows), result.GetValue(CatalogOptions.Images));
                foreach (var answer in Answers(rows, images, result.GetValue(CatalogOptions.HoldBack),
                    result.GetValue(CatalogOptions.Seed)))
                {
                    Console.Out.WriteLine(result.GetValue(question));
                    Console.Out.WriteLine(answer);
                }
                return 0;
            }
            catch (InvalidDataException e)
            {
                Console.Error.WriteLine(e.Message);
                return 1;
            }
        });
        return command;
    }

    private static IEnumerable<Answer> Answers(int? rows, string? images, int holdBack, int seed)
    {
        if (images is not null)
            return ImageFolder.Open(images, rows, holdBack, seed).Pictures.Where(p => p.Split == "train")
                .Select(p => new Answer(null, p.Label, null));
        var catalog = new GarmentCatalog(seed);
        return Enumerable.Range(0, rows ?? SampleHub.DefaultRows).Select(i => catalog[i].Garment)
            .Select(g => new Answer(g.Title, g.Category, g.Price));
    }
}
