"""The browser of the tests sees what is wrong with a page."""

PAGE = """<!doctype html><html lang="en"><title>A page</title><main><h1>A page</h1>{}</main>"""


def opened(open_page, tmp_path, body, **options):
    path = tmp_path / "page.html"
    path.write_text(PAGE.format(body))
    return open_page(path, **options)


def test_a_good_page_has_nothing_to_say(open_page, tmp_path):
    watched = opened(open_page, tmp_path, "<p>Text</p>")
    watched.check()
    assert watched.faults() == []


def test_a_request_to_a_network_is_recorded_and_not_sent(open_page, tmp_path):
    watched = opened(open_page, tmp_path, '<img alt="" src="http://example.invalid/a.png">')
    assert watched.requests == ["http://example.invalid/a.png"]
    assert any("ERR_FAILED" in error for error in watched.errors)


def test_errors_of_scripts_are_recorded(open_page, tmp_path):
    watched = opened(
        open_page, tmp_path, "<script>console.error('said'); throw Error('raised')</script>"
    )
    assert watched.errors == ["said", "raised"]


def test_serious_faults_are_found(open_page, tmp_path):
    watched = opened(open_page, tmp_path, "<button></button>")
    assert [fault.split(" ")[0] for fault in watched.faults()] == ["button-name"]
