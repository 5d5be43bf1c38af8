using FunctionsPipeline.Datasets.Rows;

namespace FunctionsPipeline.Datasets.Tests.Rows;

public sealed class PriceCurrencyTests
{
    [Theory]
    [InlineData("$1,290.00", "USD")]
    [InlineData("US$ 12", "USD")]
    [InlineData("12.50 EUR", "EUR")]
    [InlineData("chf 80", "CHF")]
    [InlineData("$12 CAD", "CAD")]
    [InlineData("A$12", "AUD")]
    [InlineData("99 €", "EUR")]
    [InlineData("£5", "GBP")]
    [InlineData("¥1200", "JPY")]
    [InlineData("₽300", "₽")]
    [InlineData("1290", null)]
    [InlineData("1.5e3", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void The_currency_of_a_price_is_its_code_or_that_of_its_symbol(string? text, string? currency) =>
        Assert.Equal(currency, PriceCurrency.Of(text));
}
