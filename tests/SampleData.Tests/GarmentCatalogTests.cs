using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.SampleData.Tests;

public sealed class GarmentCatalogTests
{
    [Fact]
    public void The_same_seed_gives_the_same_rows_and_the_same_bytes()
    {
        var (one, other, third) = (new GarmentCatalog(1), new GarmentCatalog(1), new GarmentCatalog(2));
        foreach (var i in new[] { 0, 71, 72, 500 })
        {
            Assert.Equal(one[i], other[i]);
            Assert.Equal(one.Jpeg(one[i]), other.Jpeg(other[i]));
        }
        Assert.NotEqual(Enumerable.Range(0, 72).Select(i => one[i].Garment), Enumerable.Range(0, 72).Select(i => third[i].Garment));
    }

    [Fact]
    public void Every_72_rows_show_every_combination()
    {
        var catalog = new GarmentCatalog(0);
        Assert.Equal(Garment.All.Count, Enumerable.Range(144, 72).Select(i => catalog.WithoutDefect(i).Garment).Distinct().Count());
        Assert.Equal(72, Garment.All.Count);
    }

    [Fact]
    public void The_price_can_be_told_from_kind_and_pattern_and_the_answer_reads_back()
    {
        Assert.Equal(12, Garment.All.Select(g => g.Price).Distinct().Count());
        Assert.Equal(12, Garment.All.Select(g => (g.Kind, g.Checked, g.Price)).Distinct().Count());
        foreach (var garment in Garment.All)
        {
            var answer = new Answer(garment.Title, garment.Category, garment.Price);
            Assert.Equal(answer, new AnswerTemplate(AnswerTemplate.Default).Read(answer.ToString()));
        }
    }

    [Fact]
    public void One_row_in_fifty_has_a_defect_and_all_kinds_occur()
    {
        var catalog = new GarmentCatalog(0);
        var defects = Enumerable.Range(0, 500).Select(i => catalog[i].Defect).Where(d => d != RowDefect.None).ToList();
        Assert.Equal(10, defects.Count);
        Assert.Equal(5, defects.Distinct().Count());
    }

    [Fact]
    public void A_repeated_row_has_the_product_and_the_picture_of_the_row_before_it()
    {
        var catalog = new GarmentCatalog(0);
        var repeated = Enumerable.Range(0, 500).Select(i => catalog[i]).First(r => r.Defect == RowDefect.Repeated);
        var before = catalog[repeated.Index - 1];
        Assert.Equal(before.Garment, repeated.Garment);
        Assert.Equal(catalog.Jpeg(before), catalog.Jpeg(repeated));
    }

    [Fact]
    public void Pictures_show_a_large_garment_of_its_colour_on_white_and_no_two_are_alike()
    {
        var catalog = new GarmentCatalog(0);
        foreach (var kind in Enum.GetValues<GarmentKind>())
        {
            using var image = GarmentPainter.Draw(new Garment(kind, GarmentColour.Red, Checked: false), new Random((int)kind));
            Assert.InRange(image.Width, 400, 600);
            Assert.Equal(image.Width, image.Height);
            Assert.Equal(new Rgb24(255, 255, 255), image[1, 1]);
            var red = Count(image, p => p.R > 150 && p.G < 80 && p.B < 80) / (double)(image.Width * image.Height);
            Assert.InRange(red, 0.15, 0.8);
        }
        Assert.Equal(40, Enumerable.Range(0, 40).Select(i => Convert.ToHexString(catalog.Jpeg(catalog.WithoutDefect(i)))).Distinct()
            .Count());
    }

    [Fact]
    public void Checks_are_plain_to_see_in_every_kind_and_colour()
    {
        foreach (var garment in Garment.All.Where(g => g.Checked))
        {
            using var plain = GarmentPainter.Draw(garment with { Checked = false }, new Random(3));
            using var isChecked = GarmentPainter.Draw(garment, new Random(3));
            var different = 0;
            for (var y = 0; y < plain.Height; y++)
            {
                for (var x = 0; x < plain.Width; x++)
                    if (Distance(plain[x, y], isChecked[x, y]) > 100) different++;
            }
            Assert.InRange(different / (double)(plain.Width * plain.Height), 0.05, 0.6);
        }
    }

    [Fact]
    public void A_picture_is_a_jpeg_that_the_pipeline_reads()
    {
        var catalog = new GarmentCatalog(0);
        using var image = ImageReader.Read(catalog.Jpeg(catalog[0]));
        Assert.InRange(image.Width, 400, 600);
    }

    private static int Distance(Rgb24 a, Rgb24 b) => Math.Abs(a.R - b.R) + Math.Abs(a.G - b.G) + Math.Abs(a.B - b.B);

    private static int Count(Image<Rgb24> image, Func<Rgb24, bool> predicate)
    {
        var count = 0;
        for (var y = 0; y < image.Height; y++)
        {
            for (var x = 0; x < image.Width; x++)
                if (predicate(image[x, y])) count++;
        }
        return count;
    }
}
