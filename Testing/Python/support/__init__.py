"""What several test files share: truths, made inputs, records, and where real data lie."""
