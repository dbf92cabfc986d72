#include "evidence/html.hpp"

#include <algorithm>

#include "picochat/base/text.hpp"
#include "picochat/evidence/markdown.hpp"

namespace picochat::evidence::html {

using base::cat;

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string element(std::string_view name, std::string_view text, std::string_view css_class) {
  const std::string attribute = css_class.empty() ? "" : cat(" class=\"", css_class, "\"");
  return cat("<", name, attribute, ">", escaped(text), "</", name, ">\n");
}

std::string raw(const std::string& markup) { return "\x01" + markup; }

namespace {
std::string cell(const std::string& text) { return !text.empty() && text.front() == '\x01' ? text.substr(1) : escaped(text); }
}  // namespace

std::string table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows, std::string_view caption) {
  std::string out = "<div class=\"scroll\" tabindex=\"0\"><table>\n";
  if (!caption.empty()) out += cat("<caption>", escaped(caption), "</caption>\n");
  out += "<thead><tr>";
  for (const auto& name : header) out += cat("<th scope=\"col\">", escaped(name), "</th>");
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& row : rows) {
    out += "<tr>";
    for (size_t i = 0; i < row.size(); ++i) out += i == 0 ? cat("<th scope=\"row\">", cell(row[i]), "</th>") : cat("<td>", cell(row[i]), "</td>");
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string badge(const std::string& status) {
  const char* kind = status == "approved" || status == "ready" || status == "pass" || status == "clean" || status == "holds" ? "good"
                     : status == "blocked" || status == "block" || status == "fail" || status == "fails" || status == "high" ? "bad"
                                                                                                                              : "careful";
  return cat("<span class=\"badge ", kind, "\">", escaped(base::replace_all(status, "_", " ")), "</span>");
}

std::string rate_bar(const base::Json& rate, const base::Json& interval) {
  if (!rate.is_number()) return "";
  auto percent_of = [](double value) { return base::fixed(100 * std::clamp(value, 0.0, 1.0), 1); };
  std::string out = cat("<span class=\"bar\" aria-hidden=\"true\"><span class=\"fill\" style=\"width:", percent_of(rate.get<double>()), "%\"></span>");
  if (interval.is_object() && interval.contains("low") && interval.at("low").is_number() && interval.at("high").is_number()) {
    const double low = interval.at("low").get<double>(), high = interval.at("high").get<double>();
    out += cat("<span class=\"range\" style=\"left:", percent_of(low), "%;width:", percent_of(high - low), "%\"></span>");
  }
  return out + "</span>";
}

namespace {

const char* const kStyle = R"css(
:root{--ink:#1b1f24;--soft:#57606a;--paper:#fff;--panel:#f5f6f8;--line:#d8dde3;--good:#1a7f37;--bad:#c0202b;--careful:#8a5a00;--fill:#3b6fb6}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#a3acb6;--paper:#14171b;--panel:#1d2126;--line:#363c44;--good:#4ac26b;--bad:#ff7b80;--careful:#e0a83a;--fill:#6ea1e4}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:64rem;margin:0 auto;padding:1rem 1.25rem 4rem}
h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.25rem;margin:2.2rem 0 .6rem;border-bottom:1px solid var(--line)}h3{font-size:1.05rem;margin:1.2rem 0 .4rem}
p{margin:.5rem 0}.soft{color:var(--soft)}
.verdict{background:var(--panel);border:1px solid var(--line);border-left:.4rem solid var(--careful);border-radius:.4rem;padding:.8rem 1rem}
.verdict.good{border-left-color:var(--good)}.verdict.bad{border-left-color:var(--bad)}
.badge{font-weight:600;white-space:nowrap}.badge.good{color:var(--good)}.badge.bad{color:var(--bad)}.badge.careful{color:var(--careful)}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(12rem,1fr));gap:.6rem;margin:1rem 0}
.card{background:var(--panel);border:1px solid var(--line);border-radius:.4rem;padding:.6rem .8rem}
.card b{display:block;font-size:1.1rem;overflow-wrap:anywhere}.card span{color:var(--soft);font-size:.85rem}
.scroll{overflow-x:auto;margin:.3rem 0 1.2rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}caption{text-align:left;color:var(--soft);padding:.2rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line)}thead th{color:var(--soft);font-weight:500}tbody th{font-weight:500}
.bar{position:relative;display:inline-block;width:8rem;height:.7rem;background:var(--line);border-radius:.2rem;vertical-align:middle;margin-right:.5rem}
.fill{position:absolute;left:0;top:0;bottom:0;background:var(--fill);border-radius:.2rem}.range{position:absolute;top:.27rem;height:.16rem;background:var(--ink)}
.curves svg{width:100%;height:auto;border:1px solid var(--line);border-radius:.4rem;background:#fff}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--panel);border:1px solid var(--line);border-radius:.4rem;padding:.6rem .8rem;margin:.3rem 0 .8rem;font-size:.85rem}
details{margin:.4rem 0}summary{cursor:pointer}
code{overflow-wrap:anywhere;font-size:.85rem}
@media print{.scroll{overflow:visible}}
)css";

}  // namespace

std::string page(const std::string& title, const std::string& body) {
  return base::cat("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n",
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n", element("title", title),
                   "<style>", kStyle, "</style>\n</head>\n<body>\n<main>\n", body, "</main>\n</body>\n</html>\n");
}

}  // namespace picochat::evidence::html
