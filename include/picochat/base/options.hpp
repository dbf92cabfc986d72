// Options are data: one plain struct per command and one table of its fields. The table is visited
// to parse flags, print help, merge a preset, write the run manifest and complete in a shell, so a
// field is written down once. Precedence: flag > preset > the struct's own default.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "picochat/base/json.hpp"

namespace picochat::base {

enum class OptionKind { kBool, kInt, kNumber, kText, kList };

// One field, type-erased over its struct.
struct OptionField {
  std::string name;  // key in presets and manifests: "base_steps"; its flag is "--base-steps"
  OptionKind kind = OptionKind::kText;
  bool nullable = false;  // std::optional member: absent means "not set"
  bool required = false;
  bool hidden = false;    // parsed, not shown in help
  bool positional = false;  // also taken without its flag: `picochat run verify RUN`
  std::string help;
  std::string metavar;
  std::string group = "Options";
  std::vector<std::string> choices;  // for text; empty: anything
  std::vector<std::string> aliases;  // further flags, with dashes: "--pack"
  std::optional<double> minimum, maximum;
  bool minimum_exclusive = false;
  // Known words that are not built, each with what to use instead; "*": any value but 0, false and "".
  std::vector<std::pair<std::string, std::string>> refused;

  std::function<void(void*, const Json&)> assign;  // value already checked by check()
  std::function<Json(const void*)> value;

  std::string flag() const;     // "--base-steps"
  std::string no_flag() const;  // "--no-base-steps" (booleans)

  // Chained by the tables: add(...).choose({"auto", "cpu"}).at_least(1)
  OptionField& choose(std::vector<std::string> values) { choices = std::move(values); return *this; }
  OptionField& at_least(double bound) { minimum = bound; return *this; }
  OptionField& more_than(double bound) { minimum = bound; minimum_exclusive = true; return *this; }
  OptionField& at_most(double bound) { maximum = bound; return *this; }
  OptionField& alias(std::string flag) { aliases.push_back(std::move(flag)); return *this; }
  OptionField& must() { required = true; return *this; }
  OptionField& place() { positional = true; return *this; }
  OptionField& hide() { hidden = true; return *this; }
  OptionField& refuse(std::string value, std::string pointer) { refused.emplace_back(std::move(value), std::move(pointer)); return *this; }
  OptionField& in(std::string group_name) { group = std::move(group_name); return *this; }
};

// Usage error naming the flag (or preset key), what it takes and what it got.
void check_option(const OptionField& field, const Json& value, const std::string& where);

// Parses the text of a flag's value into the field's type; Usage error when it does not fit.
Json parse_option_text(const OptionField& field, const std::string& text);

namespace detail {
template <typename T> struct OptionTraits;
template <> struct OptionTraits<bool> { static constexpr OptionKind kKind = OptionKind::kBool; };
template <> struct OptionTraits<int64_t> { static constexpr OptionKind kKind = OptionKind::kInt; };
template <> struct OptionTraits<double> { static constexpr OptionKind kKind = OptionKind::kNumber; };
template <> struct OptionTraits<std::string> { static constexpr OptionKind kKind = OptionKind::kText; };
template <> struct OptionTraits<std::vector<std::string>> { static constexpr OptionKind kKind = OptionKind::kList; };
template <typename T> struct OptionTraits<std::optional<T>> : OptionTraits<T> {};
template <typename T> struct IsOptional : std::false_type {};
template <typename T> struct IsOptional<std::optional<T>> : std::true_type { using Inner = T; };
}  // namespace detail

[[noreturn]] void throw_unknown_option(const std::string& key, const std::vector<std::string>& known, const std::string& where);

// The table of a struct S. Members are bool, int64_t, double, std::string, std::vector<std::string>
// (repeatable flag), or std::optional of the scalar ones.
template <typename S>
class OptionTable {
 public:
  template <typename T, typename B>  // a member of S or of a base of it
  OptionField& add(std::string name, T B::* member, std::string help) {
    static_assert(std::is_base_of_v<B, S>);
    OptionField field;
    field.name = std::move(name);
    field.kind = detail::OptionTraits<T>::kKind;
    field.nullable = detail::IsOptional<T>::value;
    field.help = std::move(help);
    field.assign = [member](void* object, const Json& value) {
      T& target = static_cast<S*>(object)->*member;
      if constexpr (detail::IsOptional<T>::value) {
        if (value.is_null()) target.reset();
        else target = value.get<typename detail::IsOptional<T>::Inner>();
      } else {
        target = value.get<T>();
      }
    };
    field.value = [member](const void* object) -> Json {
      const T& source = static_cast<const S*>(object)->*member;
      if constexpr (detail::IsOptional<T>::value) return source ? Json(*source) : Json(nullptr);
      else return Json(source);
    };
    fields_.push_back(std::move(field));
    return fields_.back();
  }

  // A field of the table of B, a base of S, under the name that this command gives it.
  template <typename B>
  OptionField& adopt(const OptionTable<B>& table, const std::string& field_name, const std::string& name) {
    static_assert(std::is_base_of_v<B, S>);
    const OptionField* found = table.find(field_name);
    if (!found) throw_unknown_option(field_name, {}, "option table");
    OptionField field = *found;
    field.name = name;
    field.assign = [assign = found->assign](void* object, const Json& value) { assign(static_cast<B*>(static_cast<S*>(object)), value); };
    field.value = [get = found->value](const void* object) { return get(static_cast<const B*>(static_cast<const S*>(object))); };
    fields_.push_back(std::move(field));
    return fields_.back();
  }

  const std::vector<OptionField>& fields() const { return fields_; }
  const OptionField* find(const std::string& name) const {
    for (const auto& field : fields_) if (field.name == name) return &field;
    return nullptr;
  }

  // Sets the fields that `values` names; keys the table lacks are BadInput with the nearest name.
  void merge(S& object, const Json& values, const std::string& where) const {
    for (const auto& [key, value] : values.items()) {
      const OptionField* field = find(key);
      if (!field) refuse_unknown_option(key, where);
      check_option(*field, value, where);
      field->assign(&object, value);
    }
  }

  Json to_json(const S& object) const {
    Json out = Json::object();
    for (const auto& field : fields_) out[field.name] = field.value(&object);
    return out;
  }

 private:
  [[noreturn]] void refuse_unknown_option(const std::string& key, const std::string& where) const;
  std::vector<OptionField> fields_;
};

template <typename S>
void OptionTable<S>::refuse_unknown_option(const std::string& key, const std::string& where) const {
  std::vector<std::string> known;
  for (const auto& field : fields_) known.push_back(field.name);
  throw_unknown_option(key, known, where);
}

}  // namespace picochat::base
