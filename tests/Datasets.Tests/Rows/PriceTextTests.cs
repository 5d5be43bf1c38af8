using FunctionsPipeline.Datasets;

namespace FunctionsPipeline.Tests.Datasets;

public sealed class PriceTextTests
{
    [Theory]
    [InlineData("12.50", 12.5)]
    [InlineData("$1,290.00", 1290)]
    [InlineData("1290 USD", 1290)]
    [InlineData(" USD 1290 ", 1290)]
    [InlineData("US$ 5", 5)]
    [InlineData("€.99", 0.99)]
    [InlineData("12 £", 12)]
    [InlineData("-3", -3)]
    [InlineData("- $3", -3)]
    [InlineData("1,234,567", 1234567)]
    [InlineData("1e3", 1000)]
    public void A_number_with_or_without_a_currency_is_a_price(string text, double price) => Assert.Equal(price, PriceText.Parse(text));

    [Theory]
    [InlineData("N.A.")]
    [InlineData("12,50")]
    [InlineData("1.290,00 €")]
    [InlineData("from 12")]
    [InlineData("12-15")]
    [InlineData("1,2345")]
    public void Anything_else_is_no_number_rather_than_a_wrong_one(string text) => Assert.Equal(double.NaN, PriceText.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    public void A_blank_is_no_price_at_all(string text) => Assert.Null(PriceText.Parse(text));
}
