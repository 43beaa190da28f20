"""What evaluation works on: series and their labels, vectors, annotations, the steps and limits of a query."""
