using System.Text;
using FunctionsPipeline.Datasets.Sources;

namespace FunctionsPipeline.Datasets.Tests.Sources;

public sealed class CsvTableTests
{
    [Theory]
    [InlineData("a;b\n1;2,5\n3;4,5\n", "separator ';', UTF-8, header, decimal comma", "1|2.5", "3|4.5")]
    [InlineData("a;b\n1.290,50 €;€ 7,9\n1,290;x 1,2\n", "separator ';', UTF-8, header, decimal comma", "1290.50 €|€ 7.9", "1,290|x 1.2")]
    [InlineData("a,b\n\"1,5\",x\n", "separator ',', UTF-8, header", "1,5|x")]
    [InlineData("a|b\nx;y|z\n", "separator '|', UTF-8, header", "x;y|z")]
    [InlineData("a,b\r\nx,\"two\r\nlines\"\r\n", "separator ',', UTF-8, header", "x|two\r\nlines")]
    [InlineData("a\tb\n5\" pipe\t\"quoted \"\"word\"\"\"\n", "separator tab, UTF-8, header", "5\" pipe|quoted \"word\"")]
    [InlineData("x.png,Shirt\ny.png,Hat\n", "separator ',', UTF-8, no header: columns column1 to column2", "x.png|Shirt", "y.png|Hat")]
    [InlineData(",a,a\n0,x,\n", "separator ',', UTF-8, header", "0|x|")]
    public async Task Rows_are_read_as_the_first_ones_say(string text, string description, params string[] rows)
    {
        var table = await OpenAsync(text);
        var read = await table.Rows.Select(row => string.Join('|', row.Values)).ToListAsync();

        Assert.Equal(description, table.Description);
        Assert.Equal(rows, read);
    }

    [Fact]
    public async Task Columns_without_a_name_and_of_the_same_name_get_their_own()
    {
        var row = await (await OpenAsync(",a,a\n0,x,y\n")).Rows.SingleAsync();
        Assert.Equal(["column1", "a", "a_2"], row.Columns);
    }

    [Fact]
    public async Task A_quote_that_is_never_closed_ends_the_table_with_a_reason()
    {
        var text = new StringBuilder("a,b\n1,2\n\"open,3\n");
        for (var i = 0; i < 1_000_000; i++) text.Append("filler,4\n");

        var rows = await (await OpenAsync(text.ToString())).Rows.ToListAsync();

        Assert.Equal(2, rows.Count);
        Assert.StartsWith("line 3: a row of more than", rows[1].Fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a;b\n1;2\n3;\"5\n6;7\n8;9\n", "line 3: a quote is not closed, which makes one row of all 3 lines from there on")]
    [InlineData("a;b\n1;2\n\"3\"\"\n6;\"\"7", "line 3: a quote is not closed, which makes one row of all 2 lines from there on")]
    public async Task A_quote_that_is_open_at_the_end_does_not_hide_the_lines_behind_it(string text, string fault)
    {
        var rows = await (await OpenAsync(text)).Rows.ToListAsync();

        Assert.Equal([null, fault], rows.Select(row => row.Fault));
    }

    [Fact]
    public async Task An_empty_table_is_refused() =>
        Assert.Equal("t.csv is empty", (await Assert.ThrowsAsync<InvalidDataException>(() => OpenAsync(""))).Message);

    [Theory]
    [InlineData("shoes.csv", "train")]
    [InlineData("data/train-00000-of-00002.parquet", "train")]
    [InlineData("validation.csv", "validation")]
    [InlineData("shoes_val.csv", "validation")]
    [InlineData("dev/1.tar", "validation")]
    [InlineData("test/shoes.jsonl", "test")]
    [InlineData("Test2.csv", "test")]
    [InlineData("latest.csv", "train")]
    [InlineData("contest/a.csv", "train")]
    [InlineData("devices.csv", "train")]
    public void The_split_is_a_word_of_the_name_or_a_folder(string path, string split) => Assert.Equal(split, DatasetForm.SplitOf(path));

    private static Task<TableRows> OpenAsync(string text) =>
        CsvTable.OpenAsync(new MemoryStream(Encoding.UTF8.GetBytes(text)), TextEncoding.Utf8, "t.csv", CancellationToken.None);
}
