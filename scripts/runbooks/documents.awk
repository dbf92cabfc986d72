# Text on standard input becomes documents, one JSON row each.
#   -v mode=entries   dictionaries: a line at the margin, after a blank or an indented one, begins an entry
#   -v mode=pages     manuals: paragraphs, gathered to 1,500 characters; rows of tables are left out
#   -v every=N        only each Nth document
function put() {
  gsub(/\[(1913 Webster|Webster 1913 Suppl\.|PJC|WordNet 1\.5|Century Dict\. 1906)[^]]*\]/, "", text)  # who wrote an entry
  gsub(/\\[^\\]*\\,?/, "", text)                                                                       # how it is pronounced
  gsub(/[{}\\]/, "", text)
  gsub(/[ \t]+/, " ", text)
  gsub(/^ | $/, "", text)
  if (length(text) >= 60 && text !~ /^00-?database/ && ++seen % every == 0) {
    gsub(/"/, "\\\"", text)
    printf "{\"text\": \"%s\"}\n", text
  }
  text = ""
}
BEGIN { if (!every) every = 1; margin = 1 }
/^[ \t]*[-+|=*~_]*[ \t]*$/ || /[|].*[|]/ { if (mode == "pages" && length(text) > 1500) put(); margin = 1; next }
/^[^ \t]/ { if (mode == "entries" && margin) put(); margin = 0 }
/^[ \t]/ { margin = 1 }
{ text = text " " $0 }
END { put() }
