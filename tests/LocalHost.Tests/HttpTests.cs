using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace FunctionsPipeline.Tests.LocalHost;

public sealed class HttpTests : IAsyncLifetime
{
    private TestHost _test = null!;
    private HttpClient _http = null!;

    public async Task InitializeAsync()
    {
        _test = await TestHost.StartAsync();
        _http = new HttpClient { BaseAddress = _test.Host.Address };
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _test.DisposeAsync();
    }

    [Fact]
    public async Task Route_values_bind_by_name_and_results_are_JSON()
    {
        var body = await _http.GetFromJsonAsync<JsonElement>("/api/items/blue%20hat/7?q=x");
        Assert.Equal("""{"name":"blue hat","number":7,"query":"x","same":true}""", body.GetRawText());
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await _http.PostAsync("/api/items/hat/7", null)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await _http.GetAsync("/api/items/hat/seven")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await _http.GetAsync("/api/nothing")).StatusCode);
    }

    [Fact]
    public async Task A_body_binds_and_a_bad_one_is_a_bad_request()
    {
        var created = await _http.PostAsJsonAsync("/api/orders", new { item = "hat", count = 2 });
        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        Assert.Equal("/orders/hat", created.Headers.Location!.ToString());
        var refused = await _http.PostAsync("/api/orders", new StringContent("{ \"item\": ", Encoding.UTF8, "application/json"));
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Equal("application/problem+json", refused.Content.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task Objects_are_answers_and_a_function_without_a_route_has_its_name()
    {
        Assert.Equal("""{"item":"hat","count":2}""", await _http.GetStringAsync("/api/Plain"));
    }

    [Fact]
    public async Task A_route_value_of_the_wrong_type_is_a_bad_request_that_names_it()
    {
        var id = Guid.NewGuid();
        Assert.Equal($"\"{id}\"", await _http.GetStringAsync($"/api/typed/{id}"));
        var refused = await _http.GetAsync("/api/typed/42");
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains("id is '42', which is no Guid", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_function_that_throws_is_a_server_error_with_its_message()
    {
        var broken = await _http.GetAsync("/api/Breaks");
        Assert.Equal(HttpStatusCode.InternalServerError, broken.StatusCode);
        Assert.Contains("the shelf is empty", await broken.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_host_lists_its_functions_and_says_when_it_is_ready()
    {
        var index = await _http.GetFromJsonAsync<JsonElement>("/");
        var sources = index.GetProperty("functions").EnumerateArray().ToDictionary(f => f.GetProperty("name").GetString()!, f => f.GetProperty("source").GetString());
        Assert.Equal($"POST {_test.Host.Address}api/orders", sources["Take"]);
        Assert.DoesNotContain("Uploaded", sources.Keys);
        Assert.Equal(HttpStatusCode.OK, (await _http.GetAsync("/admin/host/status")).StatusCode);
    }

    [Fact]
    public async Task The_management_URLs_of_an_instance_show_and_steer_it()
    {
        var begun = await _http.PostAsync("/api/begin/one", null);
        Assert.Equal(HttpStatusCode.Accepted, begun.StatusCode);
        var urls = await begun.Content.ReadFromJsonAsync<JsonElement>();
        var status = urls.GetProperty("statusQueryGetUri").GetString()!;
        Assert.Equal(begun.Headers.Location!.ToString(), status);
        await _test.StatusAsync("one", "waiting");

        var running = await _http.GetAsync(status);
        Assert.Equal(HttpStatusCode.Accepted, running.StatusCode);
        var json = await running.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(["name", "instanceId", "runtimeStatus", "input", "customStatus", "output", "createdTime", "lastUpdatedTime"],
            json.EnumerateObject().Select(p => p.Name));
        Assert.Equal(("Approval", "Running", "waiting"),
            (json.GetProperty("name").GetString(), json.GetProperty("runtimeStatus").GetString(), json.GetProperty("customStatus").GetString()));

        var raise = urls.GetProperty("sendEventPostUri").GetString()!.Replace("{eventName}", "Approve", StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, (await _http.PostAsync(raise, new StringContent("Ada"))).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await _http.PostAsJsonAsync(raise, "Ada")).StatusCode);
        await _test.EndAsync("one");
        var ended = await _http.GetAsync(status);
        Assert.Equal(HttpStatusCode.OK, ended.StatusCode);
        Assert.Equal("approved by Ada", (await ended.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("output").GetString());
        Assert.Equal(HttpStatusCode.Gone, (await _http.PostAsJsonAsync(raise, "Bob")).StatusCode);

        Assert.Equal(HttpStatusCode.OK, (await _http.DeleteAsync(urls.GetProperty("purgeHistoryDeleteUri").GetString())).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await _http.GetAsync(status)).StatusCode);
    }

    [Fact]
    public async Task The_terminate_URL_ends_an_instance_with_the_reason()
    {
        var urls = await (await _http.PostAsync("/api/begin/two", null)).Content.ReadFromJsonAsync<JsonElement>();
        var terminate = urls.GetProperty("terminatePostUri").GetString()!.Replace("{text}", "enough", StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Accepted, (await _http.PostAsync(terminate, null)).StatusCode);
        Assert.Equal("enough", (await _test.EndAsync("two")).ReadOutputAs<string>());
        var list = await _http.GetFromJsonAsync<JsonElement>("/runtime/webhooks/durabletask/instances?runtimeStatus=Terminated");
        Assert.Equal("two", list.EnumerateArray().Single().GetProperty("instanceId").GetString());
    }
}
