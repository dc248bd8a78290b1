"""The review as a person meets it in a real Chromium: table, pictures, keys, and both colours in sight."""

import pytest
from web_cases import KEYS
from web_looks import SIZES, assert_dialog_is_whole, findings_in_both_colours, serious_findings, sizes
from web_page import (
    MUSCLE,
    cell,
    opened,
    picture,
    row,
    settled_picture,
    shown_keys,
    state,
    wait_for_other_picture,
    wait_for_state,
)

pytest.importorskip("trame_slicer")
pytest_plugins = ("web_fixtures",)


def test_the_table_is_worst_first_with_words_for_lights_and_can_be_sorted(page):
    assert shown_keys(page)[:2] == ["FEMUR_right", "FEMUR_left"]
    assert len(shown_keys(page)) == 43
    assert [cell(page, key, "light") for key in KEYS[:3]] == ["failed", "inaccurate", "not rated"]
    assert page.locator(".counts").inner_text().split("\n")[0].startswith("1 failed")
    heading = page.locator("th.col-volume_cc button")
    heading.click()
    page.wait_for_selector("th.col-volume_cc[aria-sort=ascending]")
    volumes = [float(cell(page, key, "volume_cc")) for key in shown_keys(page)[:4]]
    assert volumes == sorted(volumes)
    heading.click()
    page.wait_for_selector("th.col-volume_cc[aria-sort=descending]")
    assert [float(cell(page, key, "volume_cc")) for key in shown_keys(page)[:4]] == sorted(volumes, reverse=True)
    heading.click()
    page.wait_for_selector("th.col-volume_cc[aria-sort=none]")
    assert shown_keys(page)[0] == "FEMUR_right"


def test_the_table_can_be_filtered(page):
    page.locator("#filter-flagged").check()
    page.wait_for_function("document.querySelectorAll('tr[data-key]').length === 2")
    page.locator("#filter-side").select_option("left")
    page.wait_for_function("document.querySelectorAll('tr[data-key]').length === 1")
    assert shown_keys(page) == ["FEMUR_left"]
    page.locator("#filter-flagged").uncheck()
    page.locator("#filter-side").select_option("")
    page.locator("#filter-text").fill("vastus lat")
    page.wait_for_function("document.querySelectorAll('tr[data-key]').length === 2")
    assert set(shown_keys(page)) == {"VLVI_right", "VLVI_left"}
    page.locator("#filter-text").fill("no such muscle")
    page.wait_for_selector("td.none")


def test_the_worst_is_selected_first_and_next_flagged_goes_round(page):
    assert page.locator("tr.selected").get_attribute("data-key") == "FEMUR_right"
    page.locator("#next-flagged").click()
    page.wait_for_selector("tr.selected[data-key=FEMUR_left]")
    page.keyboard.press("n")
    page.wait_for_selector("tr.selected[data-key=FEMUR_right]")


def test_reasons_are_in_sight_and_scores_unfold(page):
    said = page.locator(".reasons")
    assert "Predicted Dice 0.62 (0.49 to 0.68)." in said.inner_text()
    assert "inaccurate or failed: 95\N{NO-BREAK SPACE}%." in said.inner_text() and "agree with each other" not in said.inner_text()
    page.locator("#evidence summary").click()
    page.wait_for_function("document.querySelector('.reasons').innerText.includes('a Dice of 0.77, 0.52 in its worst slices')")
    dice = page.locator("tr[data-key=FEMUR_right] td.col-predicted_dice")
    assert dice.inner_text() == "0.62" and dice.get_attribute("title") == "0.62 (0.49–0.68)"
    page.locator("#table-wide").click()
    page.wait_for_function("document.querySelector('tr[data-key=FEMUR_right] .interval').offsetWidth > 0")
    assert page.locator("#table-wide").inner_text() == "Less", "there is a way back to the narrow table"
    page.locator("#table-wide").click()
    page.wait_for_function("document.querySelector('tr[data-key=FEMUR_right] .interval').offsetWidth === 0")
    # A result of before there were scores has nothing to unfold.
    row(page, "VLVI_left").click()
    page.wait_for_selector("#evidence", state="detached")


def test_a_row_jumps_to_its_worst_slice_and_shows_its_numbers(page):
    place = page.locator("#place-Red").inner_text()
    axial = picture(page, "axial")
    row(page, MUSCLE).click()
    page.wait_for_selector(f"tr.selected[data-key={MUSCLE}]")
    assert page.locator("#selected-name").inner_text() == "Vastus lateralis and intermedius, right"
    wait_for_other_picture(page, "axial", axial)
    assert page.locator("#histogram .bar").count() == 50
    assert "lean" in page.locator("#histogram").get_attribute("aria-label")
    assert page.locator(".thumbnail img").count() == 3
    assert all(page.locator(".thumbnail img").evaluate_all("images => images.map(image => image.naturalWidth > 100)"))
    page.locator(".thumbnail").nth(1).click()
    page.wait_for_function("old => document.querySelector('#place-Red').innerText !== old", arg=place)
    assert page.locator(".thumbnail.current").count() == 1


def test_slices_can_be_moved_with_the_slider_and_the_wheel(page):
    first = page.locator("#place-Red").inner_text()
    page.locator("#slider-Red").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("old => document.querySelector('#place-Red').innerText !== old", arg=first)
    second = page.locator("#place-Red").inner_text()
    box = page.locator(".view.axial").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -120)
    page.wait_for_function("old => document.querySelector('#place-Red').innerText !== old", arg=second)
    third = page.locator("#place-Red").inner_text()
    page.locator("#slider-Red").blur()
    page.keyboard.press("PageDown")
    page.wait_for_function("old => document.querySelector('#place-Red').innerText !== old", arg=third)
    side = page.locator("#place-Yellow").inner_text()
    page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 0.4 * box["height"])
    page.wait_for_function("old => document.querySelector('#place-Yellow').innerText !== old", arg=side)
    window = page.locator("#window-text").inner_text()
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.4 * box["height"], steps=4)
    page.mouse.up()
    page.wait_for_function("old => document.querySelector('#window-text').innerText !== old", arg=window)
    page.wait_for_selector("#window-bone[aria-pressed=false]")


def test_windows_overlay_and_3d_show_other_pictures(page):
    axial = picture(page, "axial")
    row(page, MUSCLE).click()
    # The picture of the jump may come late, and would pass for that of the other window.
    wait_for_other_picture(page, "axial", axial)
    soft, three_d = settled_picture(page, "axial"), settled_picture(page, "threed")
    page.locator("#window-bone").click()
    bone = wait_for_other_picture(page, "axial", soft)
    page.keyboard.press("1")
    page.wait_for_selector("#window-soft[aria-pressed=true]")
    wait_for_other_picture(page, "axial", bone)
    page.keyboard.press("u")
    page.wait_for_selector("#overlay-legend")
    thousandths = page.locator("#overlay-legend .high").inner_text().removesuffix("‰")
    assert float(thousandths) == pytest.approx(1.0, rel=0.1)
    overlaid = wait_for_other_picture(page, "axial", soft)
    page.locator("#overlay-opacity").fill("100")
    wait_for_other_picture(page, "axial", overlaid)
    page.locator("#threed-density").click()
    page.wait_for_selector(".key-3d span")
    assert "fat, below -30 HU" in page.locator(".key-3d").inner_text()
    density = wait_for_other_picture(page, "threed", three_d)
    row(page, "FEMUR_right").click()
    page.wait_for_selector(".view-note")
    page.locator("#threed-all").click()
    wait_for_other_picture(page, "threed", density)


def test_the_page_can_be_used_with_the_keyboard_alone(page):
    page.locator("#filter-text").focus()
    page.keyboard.type("vastus")
    page.wait_for_function("document.querySelectorAll('tr[data-key]').length === 4")
    page.keyboard.press("n")
    assert page.locator("#filter-text").input_value() == "vastusn", "letters are text where text is typed"
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.wait_for_function("document.querySelectorAll('tr[data-key]').length === 43")
    page.locator("tr.selected").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("tr.selected[data-key=FEMUR_left]:focus")
    page.keyboard.press("a")
    wait_for_state(page, "FEMUR_left", "accepted")
    page.keyboard.press("b")
    page.wait_for_selector("#sides tbody tr")
    page.wait_for_selector(".dialog:focus")
    page.keyboard.press("Escape")
    page.wait_for_selector("tr.selected:focus")
    page.keyboard.press("?")
    page.wait_for_selector(".keys kbd")
    assert "the left button draws" in page.locator(".dialog").inner_text()
    page.keyboard.press("Escape")
    page.wait_for_selector(".keys", state="detached")


# Kinds of fields that take letters themselves, whoever adds them to the page.
FIELDS = {
    "number": "<input type='number' id='field'>",
    "search": "<input type='search' id='field'>",
    "choice": "<select id='field'><option>bone</option><option>all</option></select>",
    "text": "<textarea id='field'></textarea>",
    "free text": "<div id='field' contenteditable='true'>notes</div>",
    "combo box": "<div id='field' role='combobox' tabindex='0'>all</div>",
}


def test_single_keys_are_left_to_fields_that_have_the_focus(page):
    row(page, "FEMUR_left").click()
    for kind, field in FIELDS.items():
        page.evaluate("field => document.body.insertAdjacentHTML('afterbegin', field)", field)
        page.locator("#field").focus()
        page.keyboard.press("a")
        page.wait_for_timeout(150)
        assert state(page, "FEMUR_left") == "automatic", kind
        page.evaluate("document.querySelector('#field').remove()")
    # A component with a shadow tree of its own is seen from outside as one element.
    page.evaluate(
        "const host = document.createElement('div'); host.id = 'field'; document.body.prepend(host);"
        "host.attachShadow({mode: 'open'}).innerHTML = '<input>'; host.shadowRoot.firstChild.focus()"
    )
    page.keyboard.press("a")
    page.wait_for_timeout(150)
    assert page.evaluate("document.querySelector('#field').shadowRoot.firstChild.value") == "a"
    assert state(page, "FEMUR_left") == "automatic"
    page.evaluate("document.querySelector('#field').remove()")
    row(page, "FEMUR_left").focus()
    page.keyboard.press("a")
    wait_for_state(page, "FEMUR_left", "accepted")


# Cells whose text does not fit, and letters that lie on the bar of their slice.
CUT_TEXTS = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const cut = all('#results-table td, .slice-bar .place, .toolbar button, #msk > header > *')
    .filter(part => part.offsetWidth && part.scrollWidth > part.clientWidth + 1);
  const edge = (view, part, side) => view.querySelector(part).getBoundingClientRect()[side];
  const under = all('.view.slice').filter(view => edge(view, '.letter.bottom', 'bottom') > edge(view, '.slice-bar', 'top'));
  return [...cut, ...under].map(part => part.className + ': ' + part.innerText);
}"""


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_everything_is_in_sight_in_both_colours(page, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(reduced_motion="reduce")
    page.reload()
    opened(page)
    for theme, brightness in (("light", (200, 256)), ("dark", (0, 70))):
        if page.locator("#msk").get_attribute("data-theme") != theme:
            page.locator("#theme").click()
            page.wait_for_selector(f"#msk[data-theme={theme}]")
        color = page.locator(".table-panel").evaluate("panel => getComputedStyle(panel).backgroundColor")
        channels = [int(part) for part in color.removeprefix("rgb(").rstrip(")").split(",")]
        assert all(brightness[0] <= channel < brightness[1] for channel in channels)
        assert page.locator(".research").is_visible()
        assert "Not a medical device" in page.locator(".research").inner_text()
        for part in ("#next-flagged", "#edit-toggle", "#accept", "#histogram", ".thumbnail", ".view.sagittal", "#close-case"):
            box = page.locator(part).first.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= size[0] + 1, part
            assert box["y"] >= 0 and box["y"] + box["height"] <= size[1] + 1, part
        assert page.evaluate(CUT_TEXTS) == []
        assert serious_findings(page) == []
    assert page.evaluate("document.documentElement.scrollHeight") <= size[1], "the page itself never scrolls"


def test_a_picture_has_words_before_it_has_come(page):
    alt, words = page.evaluate("""async () => {
      const view = document.querySelector(".view.sagittal"), inner = view.appendChild(document.createElement("div"));
      const image = inner.appendChild(document.createElement("img"));
      await null;
      inner.remove();
      return [image.alt, view.dataset.words];
    }""")
    assert alt == words != ""


# Numbers as wide as they come: close to a limit, both have four digits.
WIDEST = """() => {
  const texts = {volume_cc: '1677.3', predicted_dice: '0.8677', dice_good_from: '0.8685', mean_hu: '-100.2', fat_percent: '100.0'};
  for (const [name, text] of Object.entries(texts))
    for (const cell of document.querySelectorAll(`#results-table td.col-${name}`)) cell.innerText = text;
  for (const cell of document.querySelectorAll('#results-table td.col-state')) cell.innerText = 'automatic, truncated';
  const place = document.querySelector('#table-scroll');
  return place.scrollWidth - place.clientWidth;
}"""


def test_the_widest_numbers_leave_room_for_the_state(page):
    page.set_viewport_size({"width": 1366, "height": 768})
    page.reload()
    opened(page)
    assert page.evaluate(WIDEST) == 0
    assert page.evaluate(CUT_TEXTS) == []


def test_dialogs_and_menus_are_whole_at_every_size_in_both_colours(page):
    row(page, MUSCLE).click()
    for _ in sizes(page):
        page.locator("#export-menu summary").click()
        assert findings_in_both_colours(page, "header") == []
        page.locator("#export-menu summary").click()
        for key, part in (("?", ".keys kbd"), ("h", ".dialog.history"), ("b", "#side-right img")):
            page.keyboard.press(key)
            page.wait_for_selector(part)
            assert_dialog_is_whole(page)
            page.keyboard.press("Escape")
            page.wait_for_selector(".dialog", state="detached")
