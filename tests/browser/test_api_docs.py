"""The page that documents the API, under the security policy that every page has."""

from playwright.sync_api import Page, expect


def test_the_api_can_be_read_without_breaking_the_security_policy(page: Page, base_url: str):
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    outside: list[str] = []
    page.on(
        "request",
        lambda asked: (
            None
            if asked.url.startswith((base_url, "data:", "blob:"))
            else outside.append(asked.url)
        ),
    )
    page.goto(f"{base_url}/api/v1/docs")
    expect(page.get_by_text("/api/v1/posts/bulk", exact=True)).to_be_visible()
    page.get_by_text("/api/v1/posts/bulk", exact=True).click()
    expect(page.get_by_text("Store up to 100 posts in one transaction").first).to_be_visible()
    assert outside == []
    assert complaints == []
