#include "picochat/evidence/svg.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "picochat/base/text.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::fixed;

constexpr double kWidth = 720, kHeight = 260, kLeft = 64, kRight = 16, kTop = 34, kBottom = 40;
constexpr std::array kColours = {"#1f5fa8", "#c2571a", "#2e7d4f", "#7b4fa3", "#8a6d1f"};

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '<') out += "&lt;";
    else if (c == '&') out += "&amp;";
    else if (c == '>') out += "&gt;";
    else out += c;
  }
  return out;
}

// A step of 1, 2 or 5 times a power of ten that gives about `wanted` ticks.
double tick_step(double span, int wanted) {
  double raw = span / wanted, power = std::pow(10, std::floor(std::log10(raw)));
  for (double factor : {1.0, 2.0, 5.0})
    if (raw <= factor * power) return factor * power;
  return 10 * power;
}

std::string tick_text(double value) {
  double size = std::fabs(value);
  if (size >= 1e4) return base::short_count(value);
  if (size != 0 && size < 1e-3) {
    int exponent = static_cast<int>(std::floor(std::log10(size)));
    return cat(fixed(value / std::pow(10, exponent), 1), "e", exponent);
  }
  std::string text = fixed(value, size >= 100 ? 0 : size >= 1 ? 2 : 4);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text;
}

struct Scale {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  double from = 0, to = 1;  // pixels
  bool log = false;
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void widen() {
    if (low == high) {
      double pad = low == 0 ? 1 : std::fabs(low) * 0.1;
      low = log ? low / 2 : low - pad;
      high = log ? high * 2 : high + pad;
    }
  }
  double place(double value) const {
    double share = log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return from + share * (to - from);
  }
  std::vector<double> ticks(int wanted) const {
    std::vector<double> out;
    if (log) {
      for (double power = std::pow(10, std::floor(std::log10(low))); power <= high; power *= 10)
        for (double factor : {1.0, 2.0, 5.0})
          if (factor * power >= low && factor * power <= high) out.push_back(factor * power);
      return out;
    }
    double step = tick_step(high - low, wanted);
    for (double tick = std::ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) out.push_back(std::fabs(tick) < step * 1e-9 ? 0 : tick);
    return out;
  }
};

bool drawable(double y, bool log) { return std::isfinite(y) && (!log || y > 0); }

std::string polyline(const Series& series, const Scale& x, const Scale& y, const char* colour) {
  std::string out, points;
  size_t count = 0;
  auto flush = [&] {
    if (count == 1) {
      size_t comma = points.find(',');
      out += cat("<circle cx=\"", points.substr(0, comma), "\" cy=\"", points.substr(comma + 1), "\" r=\"2.5\" fill=\"", colour, "\"/>\n");
    } else if (count > 1) {
      out += cat("<polyline fill=\"none\" stroke=\"", colour, "\" stroke-width=\"1.6\" points=\"", points, "\"/>\n");
    }
    points.clear();
    count = 0;
  };
  for (auto [px, py] : series.points) {
    if (!drawable(py, y.log)) {
      flush();
      continue;
    }
    if (count++) points += ' ';
    points += cat(fixed(x.place(px), 1), ",", fixed(y.place(py), 1));
  }
  flush();
  return out;
}

std::string draw(const Chart& chart, double top) {
  Scale x{.from = kLeft, .to = kWidth - kRight}, y{.from = kHeight - kBottom, .to = kTop, .log = chart.log_y};
  for (const auto& series : chart.series)
    for (auto [px, py] : series.points)
      if (drawable(py, chart.log_y)) x.include(px), y.include(py);
  if (x.low > x.high) return "";
  x.widen();
  y.widen();
  auto text = [](double px, double py, const char* anchor, const std::string& content, const char* style = "") {
    return cat("<text x=\"", fixed(px, 1), "\" y=\"", fixed(py, 1), "\" text-anchor=\"", anchor, "\"", style, ">", escaped(content), "</text>\n");
  };
  auto line = [](double x1, double y1, double x2, double y2, const char* style) {
    return cat("<line x1=\"", fixed(x1, 1), "\" y1=\"", fixed(y1, 1), "\" x2=\"", fixed(x2, 1), "\" y2=\"", fixed(y2, 1), "\" ", style, "/>\n");
  };
  std::string out = cat("<g transform=\"translate(0,", fixed(top, 0), ")\">\n", text(kLeft, 18, "start", chart.title, " font-weight=\"bold\""));
  for (double tick : y.ticks(5)) {
    out += line(x.from, y.place(tick), x.to, y.place(tick), "stroke=\"#e2e2e2\"");
    out += text(x.from - 6, y.place(tick) + 4, "end", tick_text(tick));
  }
  for (double tick : x.ticks(6)) out += text(x.place(tick), y.from + 16, "middle", tick_text(tick));
  out += line(x.from, y.from, x.to, y.from, "stroke=\"#666\"");
  out += text((x.from + x.to) / 2, y.from + 32, "middle", chart.x_label);
  if (chart.mark_x && *chart.mark_x >= x.low && *chart.mark_x <= x.high) {
    const double at = x.place(*chart.mark_x);
    out += line(at, y.to, at, y.from, "stroke=\"#444\" stroke-dasharray=\"4 3\"");
    const bool left = at > kWidth - 160;
    out += text(at + (left ? -5 : 5), y.to + 10, left ? "end" : "start", chart.mark_label);
  }
  double legend = x.to;
  for (size_t i = chart.series.size(); i-- > 0;) {
    const char* colour = kColours[i % kColours.size()];
    out += polyline(chart.series[i], x, y, colour);
    out += text(legend, 18, "end", chart.series[i].name, cat(" fill=\"", colour, "\"").c_str());
    legend -= 7.2 * static_cast<double>(chart.series[i].name.size()) + 16;
  }
  return out + "</g>\n";
}

}  // namespace

std::string svg_charts(const std::vector<Chart>& charts) {
  std::string body;
  double top = 0;
  for (const auto& chart : charts) {
    std::string drawn = draw(chart, top);
    if (drawn.empty()) continue;
    body += drawn;
    top += kHeight;
  }
  if (body.empty()) return "";
  return cat("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", fixed(kWidth, 0), " ", fixed(top, 0),
             "\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n", body, "</svg>\n");
}

}  // namespace picochat::evidence
