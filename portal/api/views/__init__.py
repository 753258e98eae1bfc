"""The API's views, by what they are about; the page where keys are made is `pages`."""
